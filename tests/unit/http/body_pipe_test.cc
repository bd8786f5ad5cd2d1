// A request body in motion: bounded, in order, and each side told of progress in a later turn.
#include "http/body_pipe.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "support/manual_clock.h"
#include "support/pump_executor.h"

namespace seawall::http {
namespace {

struct Fixture {
  explicit Fixture(std::size_t capacity = 8) : pipe(make_ref<BodyPipe>(executor, capacity)) {
    pipe->on_data([this] { ++data_notices; });
    pipe->on_room([this] { ++room_notices; });
  }
  void pump() {
    while (executor.run_one()) {
    }
  }

  test::ManualClock clock;
  test::PumpExecutor executor{0, clock};
  Ref<BodyPipe> pipe;
  int data_notices = 0;
  int room_notices = 0;
};

BOOST_AUTO_TEST_SUITE(http_body_pipe)

BOOST_AUTO_TEST_CASE(it_takes_what_there_is_room_for) {
  Fixture f;
  BOOST_TEST(f.pipe->room() == 8U);
  BOOST_TEST(f.pipe->write("abcde") == 5U);
  BOOST_TEST(f.pipe->room() == 3U);
  BOOST_TEST(f.pipe->write("fghij") == 3U);
  BOOST_TEST(f.pipe->room() == 0U);
  BOOST_TEST(f.pipe->write("x") == 0U);
  BOOST_TEST(f.pipe->peek() == "abcdefgh");
  f.pipe->consume(3);
  BOOST_TEST(f.pipe->room() == 3U);
  BOOST_TEST(f.pipe->peek() == "defgh");
  BOOST_TEST(f.pipe->write("1234") == 3U);
  BOOST_TEST(f.pipe->peek() == "defgh123");
  f.pipe->consume(8);
  BOOST_TEST(f.pipe->peek().empty());
  BOOST_TEST(f.pipe->room() == 8U);
}

struct NoticeRow {
  const char* name;
  std::function<void(BodyPipe&)> act;
  int data_notices;
  int room_notices;
};

BOOST_AUTO_TEST_CASE(a_side_is_told_once_a_turn_and_never_inside_the_others_call) {
  const std::vector<NoticeRow> rows = {
      {"a write", [](BodyPipe& p) { p.write("a"); }, 1, 0},
      {"two writes",
       [](BodyPipe& p) {
         p.write("a");
         p.write("b");
       },
       1, 0},
      {"a write of nothing", [](BodyPipe& p) { p.write(""); }, 0, 0},
      {"a finish", [](BodyPipe& p) { p.finish({}); }, 1, 0},
      {"the last bytes and a finish",
       [](BodyPipe& p) {
         p.write("a");
         p.finish({});
       },
       1, 0},
      {"a failure", [](BodyPipe& p) { p.fail({ErrorCode::kPeerClosed, Side::kClient}); }, 1, 0},
      {"a consume",
       [](BodyPipe& p) {
         p.write("ab");
         p.consume(1);
         p.consume(1);
       },
       1, 1},
      {"a consume of nothing", [](BodyPipe& p) { p.consume(0); }, 0, 0},
      {"a discard", [](BodyPipe& p) { p.discard(); }, 0, 1},
      {"a write after a discard",
       [](BodyPipe& p) {
         p.discard();
         p.write("a");
       },
       0, 1},
      {"a wish", [](BodyPipe& p) { p.want(); }, 0, 1},
  };
  for (const NoticeRow& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Fixture f;
      row.act(*f.pipe);
      BOOST_TEST(f.data_notices + f.room_notices == 0);
      f.pump();
      BOOST_TEST(f.data_notices == row.data_notices);
      BOOST_TEST(f.room_notices == row.room_notices);
    }
  }
}

BOOST_AUTO_TEST_CASE(progress_made_inside_a_notice_is_told_again) {
  Fixture f;
  f.pipe->on_data([&f] {
    ++f.data_notices;
    f.pipe->consume(f.pipe->peek().size());
  });
  f.pipe->on_room([&f] {
    if (++f.room_notices < 3) f.pipe->write("more");
  });
  f.pipe->write("first");
  f.pump();
  BOOST_TEST(f.data_notices == 3);
  BOOST_TEST(f.room_notices == 3);
}

BOOST_AUTO_TEST_CASE(a_finish_is_seen_after_the_last_byte) {
  Fixture f;
  f.pipe->write("abc");
  HeaderMap trailers;
  trailers.add("X-Sum", "1");
  f.pipe->finish(trailers);
  BOOST_TEST(!f.pipe->is_finished());
  f.pipe->consume(2);
  BOOST_TEST(!f.pipe->is_finished());
  f.pipe->consume(1);
  BOOST_TEST(f.pipe->is_finished());
  BOOST_TEST(f.pipe->trailers().find("X-Sum").value_or("") == "1");
}

BOOST_AUTO_TEST_CASE(an_empty_body_is_finished_at_once_and_was_not_read) {
  Fixture f;
  f.pipe->finish({});
  BOOST_TEST(f.pipe->is_finished());
  BOOST_TEST(!f.pipe->was_read());
}

BOOST_AUTO_TEST_CASE(a_failed_body_is_never_complete) {
  Fixture f;
  f.pipe->write("abc");
  BOOST_TEST(!f.pipe->error().has_value());
  const Error error{ErrorCode::kMalformedChunk, Side::kClient};
  f.pipe->fail(error);
  BOOST_TEST((f.pipe->error() == error));
  f.pipe->consume(3);
  BOOST_TEST(!f.pipe->is_finished());
}

BOOST_AUTO_TEST_CASE(only_a_body_of_which_no_byte_was_taken_may_be_sent_again) {
  Fixture f;
  f.pipe->want();
  f.pipe->write("abc");
  f.pump();
  f.pipe->consume(0);
  BOOST_TEST(!f.pipe->was_read());
  f.pipe->consume(1);
  BOOST_TEST(f.pipe->was_read());
}

BOOST_AUTO_TEST_CASE(after_a_discard_everything_is_taken_and_nothing_kept) {
  Fixture f;
  f.pipe->write("abcdefgh");
  f.pipe->consume(2);
  f.pipe->discard();
  BOOST_TEST(f.pipe->peek().empty());
  BOOST_TEST(f.pipe->room() == 8U);
  BOOST_TEST(f.pipe->write(std::string(1000, 'x')) == 1000U);
  BOOST_TEST(f.pipe->peek().empty());
  BOOST_TEST(f.pipe->room() == 8U);
  f.pipe->finish({});
  BOOST_TEST(f.pipe->is_finished());
}

BOOST_AUTO_TEST_CASE(the_first_wish_is_told_and_no_other) {
  Fixture f;
  BOOST_TEST(!f.pipe->is_wanted());
  f.pipe->want();
  BOOST_TEST(f.pipe->is_wanted());
  f.pump();
  f.pipe->want();
  f.pump();
  BOOST_TEST(f.room_notices == 1);
}

BOOST_AUTO_TEST_CASE(a_notice_goes_to_who_listens_when_it_is_delivered) {
  Fixture f;
  f.pipe->write("a");
  int later = 0;
  f.pipe->on_data([&later] { ++later; });
  f.pump();
  BOOST_TEST(f.data_notices == 0);
  BOOST_TEST(later == 1);

  f.pipe->consume(1);
  f.pipe->on_room(nullptr);  // the writer has gone
  f.pump();
  BOOST_TEST(f.room_notices == 0);
}

BOOST_AUTO_TEST_CASE(a_listener_may_take_itself_away) {
  Fixture f;
  const std::string held(100, 'h');  // on the heap, so that its end with the callback would be seen
  std::string seen;
  f.pipe->on_data([&f, &seen, held] {
    f.pipe->on_data(nullptr);
    seen = held;
  });
  f.pipe->write("a");
  f.pump();
  BOOST_TEST(seen == held);
  f.pipe->write("b");
  f.pump();
}

BOOST_AUTO_TEST_CASE(a_pending_notice_keeps_the_pipe) {
  Fixture f;
  f.pipe->write("a");
  f.pipe->consume(1);
  f.pipe = nullptr;
  f.pump();
  BOOST_TEST(f.data_notices == 1);
  BOOST_TEST(f.room_notices == 1);
}

// The writer writes when told of room, the reader reads when told of data: the body arrives whole, whatever the sizes.
BOOST_AUTO_TEST_CASE(any_body_flows_on_notices_alone) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Rng rng(seed);
      const std::size_t capacity = 1 + rng.below(64);
      Fixture f(capacity);
      std::string body(rng.below(2000), ' ');
      for (char& c : body) c = static_cast<char>('a' + rng.below(26));
      std::size_t sent = 0;
      std::string received;

      const auto send = [&] {
        while (sent < body.size() && f.pipe->room() > 0) {
          const std::string_view piece = std::string_view(body).substr(sent, 1 + rng.below(100));
          const std::size_t expected = std::min(piece.size(), f.pipe->room());
          const std::size_t taken = f.pipe->write(piece);
          BOOST_TEST(taken == expected);
          sent += taken;
          if (rng.below(3) == 0) break;
        }
        BOOST_TEST(f.pipe->peek().size() <= capacity);
        if (sent == body.size()) {
          f.pipe->finish({});
          f.pipe->on_room(nullptr);
        }
      };
      std::function<void()> take = [&] {
        const std::string_view ready = f.pipe->peek();
        const std::size_t n = std::min<std::size_t>(ready.size(), 1 + rng.below(capacity));
        received += ready.substr(0, n);
        f.pipe->consume(n);
        if (!f.pipe->peek().empty()) f.executor.post([&take] { take(); });
      };
      f.pipe->on_room(send);
      f.pipe->on_data(take);
      f.pipe->want();
      f.pump();
      BOOST_TEST(f.pipe->is_finished());
      BOOST_TEST(received == body);
      BOOST_TEST(f.pipe->was_read() == !body.empty());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
