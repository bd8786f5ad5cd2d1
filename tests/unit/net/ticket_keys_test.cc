// When keys change, which are still taken, and that what is sealed opens again.
#include "net/ticket_keys.h"

#include <openssl/evp.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "net/openssl_ptr.h"
#include "support/manual_clock.h"

namespace seawall::net {
namespace {

using Opened = TicketKeys::Opened;
using Name = std::array<unsigned char, TicketKeys::kNameBytes>;

struct Contexts {
  std::unique_ptr<EVP_CIPHER_CTX, OpensslFree<EVP_CIPHER_CTX_free>> cipher{EVP_CIPHER_CTX_new()};
  std::unique_ptr<EVP_MAC, OpensslFree<EVP_MAC_free>> hmac{EVP_MAC_fetch(nullptr, "HMAC", nullptr)};
  std::unique_ptr<EVP_MAC_CTX, OpensslFree<EVP_MAC_CTX_free>> mac{EVP_MAC_CTX_new(hmac.get())};
  std::array<unsigned char, EVP_MAX_IV_LENGTH> iv{};
};

struct Fixture {
  test::ManualClock clock;
  TicketKeys keys{clock, Seconds{100}};

  Name seal() {
    Contexts contexts;
    Name name{};
    BOOST_REQUIRE(keys.seal(name, contexts.iv.data(), contexts.cipher.get(), contexts.mac.get()));
    return name;
  }
  Opened open(const Name& name) {
    Contexts contexts;
    return keys.open(name, contexts.iv.data(), contexts.cipher.get(), contexts.mac.get());
  }
};

BOOST_FIXTURE_TEST_SUITE(net_ticket_keys, Fixture)

BOOST_AUTO_TEST_CASE(rotation) {
  const Name first = seal();
  BOOST_TEST((seal() == first));
  BOOST_TEST((open(first) == Opened::kCurrent));
  clock.advance(Seconds{99});
  BOOST_TEST((seal() == first));
  clock.advance(Seconds{1});
  const Name second = seal();
  BOOST_TEST((second != first));
  BOOST_TEST((open(first) == Opened::kOld));
  clock.advance(Seconds{100});
  const Name third = seal();
  BOOST_TEST((open(first) == Opened::kOld));
  BOOST_TEST((open(second) == Opened::kOld));
  BOOST_TEST((open(third) == Opened::kCurrent));
  clock.advance(Seconds{100});
  BOOST_TEST((open(first) == Opened::kUnknown));
  BOOST_TEST((open(second) == Opened::kOld));
}

BOOST_AUTO_TEST_CASE(a_quiet_time_ages_keys_as_well) {
  const Name first = seal();
  clock.advance(Seconds{299});
  BOOST_TEST((open(first) == Opened::kOld));
  clock.advance(Seconds{1});
  BOOST_TEST((open(first) == Opened::kUnknown));
}

BOOST_AUTO_TEST_CASE(a_shorter_rotation_counts_at_once) {
  const Name first = seal();
  clock.advance(Seconds{10});
  keys.set_rotation(Seconds{10});
  BOOST_TEST((seal() != first));
  BOOST_TEST((open(first) == Opened::kOld));
  keys.set_rotation(Seconds{5});
  clock.advance(Seconds{5});
  BOOST_TEST((open(first) == Opened::kUnknown));
}

BOOST_AUTO_TEST_CASE(strange_names) {
  BOOST_TEST((open({}) == Opened::kUnknown));
  Name name = seal();
  name[15] ^= 1;
  BOOST_TEST((open(name) == Opened::kUnknown));
}

BOOST_AUTO_TEST_CASE(what_is_sealed_opens) {
  Contexts sealing;
  Name name{};
  BOOST_REQUIRE(keys.seal(name, sealing.iv.data(), sealing.cipher.get(), sealing.mac.get()));
  const std::array<unsigned char, 16> plain = {'t', 'i', 'c', 'k', 'e', 't'};
  std::array<unsigned char, 64> sealed{};
  int size = 0;
  int rest = 0;
  BOOST_REQUIRE(EVP_EncryptUpdate(sealing.cipher.get(), sealed.data(), &size, plain.data(), 16) == 1);
  BOOST_REQUIRE(EVP_EncryptFinal_ex(sealing.cipher.get(), sealed.data() + size, &rest) == 1);
  BOOST_TEST(EVP_MAC_CTX_get_mac_size(sealing.mac.get()) == 32U);

  Contexts opening;
  BOOST_REQUIRE((keys.open(name, sealing.iv.data(), opening.cipher.get(), opening.mac.get()) == Opened::kCurrent));
  std::array<unsigned char, 64> opened{};
  int opened_size = 0;
  BOOST_REQUIRE(EVP_DecryptUpdate(opening.cipher.get(), opened.data(), &opened_size, sealed.data(), size + rest) == 1);
  BOOST_REQUIRE(EVP_DecryptFinal_ex(opening.cipher.get(), opened.data() + opened_size, &rest) == 1);
  BOOST_TEST(opened_size + rest == 16);
  BOOST_TEST(std::equal(plain.begin(), plain.end(), opened.begin()));

  Contexts again;
  BOOST_REQUIRE(keys.seal(name, again.iv.data(), again.cipher.get(), again.mac.get()));
  BOOST_TEST((again.iv != sealing.iv));
}

BOOST_AUTO_TEST_CASE(many_threads) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int round = 0; round < 200; ++round) {
        Contexts contexts;
        Name name{};
        if (!keys.seal(name, contexts.iv.data(), contexts.cipher.get(), contexts.mac.get())) return;
        keys.open(name, contexts.iv.data(), contexts.cipher.get(), contexts.mac.get());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST((open(seal()) == Opened::kCurrent));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::net
