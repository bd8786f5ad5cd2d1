// Which responses may have encoded forms, and what those say of themselves.
#include "policy/encoding.h"

#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>

#include "unit/policy/support.h"

namespace seawall::policy {
namespace {

using http::Coding;

bool may(const Headers& headers, std::uint16_t status = 200, std::optional<std::uint64_t> length = 5000) {
  return may_encode(status, map_of(headers), length, {}, {"CDN-Cache-Control"});
}

BOOST_AUTO_TEST_SUITE(policy_encoding)

BOOST_AUTO_TEST_CASE(types) {
  BOOST_TEST(matches_type("text/*", "text/html"));
  BOOST_TEST(matches_type("text/*", "TEXT/HTML; charset=utf-8"));
  BOOST_TEST(matches_type("application/json", "application/json ;v=1"));
  BOOST_TEST(!matches_type("text/*", "text/"));
  BOOST_TEST(!matches_type("text/*", "textual/html"));
  BOOST_TEST(!matches_type("application/json", "application/json5"));
}

BOOST_AUTO_TEST_CASE(what_may_be_encoded) {
  BOOST_TEST(may({{"Content-Type", "text/html"}}));
  BOOST_TEST(may({{"Content-Type", "text/html"}}, 200, std::nullopt));
  BOOST_TEST(may({{"Content-Type", "text/html"}, {"Content-Encoding", "identity"}}));
  BOOST_TEST(may({{"Content-Type", "text/html"}}, 200, 1024));
  BOOST_TEST(!may({{"Content-Type", "text/html"}}, 200, 1023));
  BOOST_TEST(!may({{"Content-Type", "text/html"}}, 200, (4U << 20) + 1));
  BOOST_TEST(!may({{"Content-Type", "text/html"}}, 404));
  BOOST_TEST(!may({}));
  BOOST_TEST(!may({{"Content-Type", "image/png"}}));
  BOOST_TEST(!may({{"Content-Type", "text/html"}, {"Content-Encoding", "gzip"}}));
  BOOST_TEST(!may({{"Content-Type", "text/html"}, {"Content-Encoding", "identity, br"}}));
  BOOST_TEST(!may({{"Content-Type", "text/html"}, {"Cache-Control", "max-age=5, No-Transform"}}));
  BOOST_TEST(
      !may({{"Content-Type", "text/html"}, {"CDN-Cache-Control", "max-age=5"}, {"Cache-Control", "no-transform"}}));
}

BOOST_AUTO_TEST_CASE(vary) {
  BOOST_TEST(needs_vary(map_of({})));
  BOOST_TEST(needs_vary(map_of({{"Vary", "Accept, Accept-Encodings"}})));
  BOOST_TEST(!needs_vary(map_of({{"Vary", "Accept, accept-encoding"}})));
  BOOST_TEST(!needs_vary(map_of({{"Vary", "Accept"}, {"Vary", "Accept-Encoding"}})));
  BOOST_TEST(!needs_vary(map_of({{"Vary", "*"}})));
}

BOOST_AUTO_TEST_CASE(codings_are_normalised_in_place) {
  const auto normal = [](const Headers& headers) {
    auto request = map_of(headers);
    normalise_codings(request, http::CodingWeights(request).accepted());
    BOOST_TEST(request.count(http::Field::kAcceptEncoding) == 1U);
    BOOST_TEST(request.find("Accept").value_or("") == "text/html");
    return std::string(request.find("Accept-Encoding").value_or(""));
  };
  BOOST_TEST(normal({{"Accept", "text/html"}}) == "identity");
  BOOST_TEST(normal({{"Accept-Encoding", "br, gzip;q=0.1"}, {"Accept", "text/html"}}) == "gzip, br");
  BOOST_TEST(normal({{"Accept-Encoding", "gzip, br"}, {"Accept", "text/html"}}) == "gzip, br");
  BOOST_TEST(normal({{"Accept-Encoding", "gzip"}, {"Accept", "text/html"}, {"accept-encoding", "zstd, foo"}}) ==
             "gzip, zstd");
}

BOOST_AUTO_TEST_CASE(entity_tags) {
  BOOST_TEST(encoded_etag("\"abc\"", Coding::kGzip) == "W/\"abc~gzip\"");
  BOOST_TEST(encoded_etag("W/\"abc\"", Coding::kBrotli) == "W/\"abc~br\"");
  BOOST_TEST(encoded_etag("\"\"", Coding::kZstd) == "W/\"~zstd\"");
  BOOST_TEST(encoded_etag("abc", Coding::kGzip).empty());
  for (const char* etag : {"\"abc\"", "\"\"", "\"a,b~br\""}) {
    for (const Coding coding : {Coding::kGzip, Coding::kBrotli, Coding::kZstd}) {
      BOOST_TEST(plain_etag(encoded_etag(etag, coding)).value().etag == etag);
      BOOST_TEST(plain_etag(encoded_etag("W/" + std::string(etag), coding)).value().etag == etag);
    }
  }
  BOOST_TEST(plain_etag("\"abc~br\"").value().etag == "\"abc\"");
  BOOST_TEST(!plain_etag("\"abc\"").has_value());
  BOOST_TEST(!plain_etag("\"gzip\"").has_value());
  BOOST_TEST(!plain_etag("abc~gzip").has_value());
}

BOOST_AUTO_TEST_CASE(fields_of_a_form) {
  const auto fields = encoded_fields(map_of({{"Content-Type", "text/html"},
                                             {"ETag", "\"abc\""},
                                             {"Content-MD5", "x"},
                                             {"Repr-Digest", "x"},
                                             {"content-digest", "x"},
                                             {"Digest", "x"},
                                             {"Content-Encoding", "identity"},
                                             {"Accept-Ranges", "bytes"}}),
                                     Coding::kBrotli);
  BOOST_TEST(fields.size() == 4U);
  BOOST_TEST(fields.find("Content-Type").value_or("") == "text/html");
  BOOST_TEST(fields.find("ETag").value_or("") == "W/\"abc~br\"");
  BOOST_TEST(fields.find("Content-Encoding").value_or("") == "br");
  BOOST_TEST(fields.find("Accept-Ranges").value_or("") == "bytes");
  BOOST_TEST(!encoded_fields(map_of({{"ETag", "bare"}}), Coding::kGzip).contains("ETag"));
}

BOOST_AUTO_TEST_CASE(conditions_as_the_origin_knows_them) {
  auto request = map_of({{"If-Match", "\"a~gzip\", W/\"b~br\""},
                         {"If-Match", "\"c\""},
                         {"If-None-Match", "*"},
                         {"If-Range", "\"a~gzip\""}});
  add_plain_etags(request);
  BOOST_TEST(request.combined("If-Match").value_or("") == "\"a~gzip\", \"a\", W/\"b~br\", \"b\", \"c\"");
  BOOST_TEST(request.find("If-None-Match").value_or("") == "*");
  BOOST_TEST(request.find("If-Range").value_or("") == "\"a~gzip\"");
}

BOOST_AUTO_TEST_CASE(what_the_request_does_not_accept_is_no_match) {
  auto request = map_of({{"Accept-Encoding", "gzip, br;q=0"}, {"If-None-Match", "\"a~gzip\", \"b~br\", \"c-gzip\""}});
  add_plain_etags(request);
  BOOST_TEST(request.find("If-None-Match").value_or("") == "\"a~gzip\", \"a\", \"b~br\", \"c-gzip\"");
  auto fields = map_of({{"ETag", "\"b\""}});
  name_client_etag(request, fields);
  BOOST_TEST(fields.find("ETag").value_or("") == "\"b\"");
}

BOOST_AUTO_TEST_CASE(a_304_names_the_tag_that_the_client_knows) {
  const auto named = [](const char* if_none_match, const char* etag) {
    auto fields = map_of({{"ETag", etag}, {"Repr-Digest", "x"}});
    name_client_etag(map_of({{"Accept-Encoding", "gzip"}, {"If-None-Match", if_none_match}}), fields);
    return std::string(*fields.find("ETag")) + (fields.contains("Repr-Digest") ? " digest" : "");
  };
  BOOST_TEST(named("\"abc~gzip\"", "\"abc\"") == "W/\"abc~gzip\"");
  BOOST_TEST(named("W/\"abc~gzip\"", "W/\"abc\"") == "W/\"abc~gzip\"");
  BOOST_TEST(named("\"abc~gzip\"", "\"abc~gzip\"") == "\"abc~gzip\" digest");
  BOOST_TEST(named("W/\"abc~gzip\"", "\"abc\"") == "W/\"abc~gzip\"");
  BOOST_TEST(named("\"abc~gzip\", \"abc\"", "\"abc\"") == "\"abc\" digest");
  BOOST_TEST(named("\"x~gzip\"", "\"abc\"") == "\"abc\" digest");
  BOOST_TEST(named("*", "\"abc\"") == "\"abc\" digest");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::policy
