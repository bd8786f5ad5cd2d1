// Expired responses: validated (RFC 9111 section 4.3), used all the same (RFC 5861), invalidated (section 4.4).
#include <boost/test/unit_test.hpp>

#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_cache_stale)

// Stale by 990 seconds on arrival, so that no test has to wait. The next request has a fresh connection: a fault on it
// is not taken for a pooled one that has gone.
Reply stale(std::string body, Lines more = {}, std::string cache_control = "max-age=10") {
  Reply out{.headers = {"Cache-Control: " + cache_control, "Age: 1000", "ETag: \"1\"", "Connection: close"},
            .body = std::move(body)};
  out.headers.insert(out.headers.end(), more.begin(), more.end());
  return out;
}
Reply fresh(std::string body, Lines more = {}) {
  Reply out{.headers = {"Cache-Control: max-age=60", "ETag: \"2\""}, .body = std::move(body)};
  out.headers.insert(out.headers.end(), more.begin(), more.end());
  return out;
}

BOOST_AUTO_TEST_CASE(a_304_refreshes_what_is_stored) {
  Origin origin;
  const std::string modified = http_date(-5000);
  origin.script("/a",
                {
                    reply(stale("hello", {"Last-Modified: " + modified, "X: old", "Y: old", "Content-Type: text/a"})),
                    reply({.status = 304,
                           .headers = {"Cache-Control: max-age=60", "ETag: \"1\"", "X: new", "Content-Length: 3"}}),
                });
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a").body == "hello");
  for (int round = 0; round < 2; ++round) {
    BOOST_TEST_CONTEXT("round " << round) {
      const Response response = get(seawall, "/a");
      BOOST_TEST(response.status == 200);
      BOOST_TEST(response.body == "hello");
      BOOST_TEST(response.complete);
      BOOST_TEST(response.get("X") == "new");
      BOOST_TEST(response.get("Y") == "old");
      BOOST_TEST(response.get("Content-Length") == "5");
      BOOST_TEST(response.get("Content-Type") == "text/a");
      BOOST_TEST(response.age() < 10);
    }
  }
  const SeenRequest validation = origin.seen("/a", 2);
  BOOST_TEST(validation.headers.get("If-None-Match") == "\"1\"");
  BOOST_TEST((!validation.headers.has("If-Modified-Since") || validation.headers.get("If-Modified-Since") == modified));
  BOOST_TEST(origin.count("/a") == 2U);
  BOOST_TEST(origin.unexpected() == 0U);
}

BOOST_AUTO_TEST_CASE(a_304_by_date_alone_refreshes_too) {
  Origin origin;
  const std::string modified = "Last-Modified: " + http_date(-5000);
  origin.script("/a", {
                          reply({.headers = {"Cache-Control: max-age=10", "Age: 1000", modified}, .body = "hello"}),
                          reply({.status = 304, .headers = {"Cache-Control: max-age=60"}}),
                      });
  Seawall seawall(origin);
  for (int round = 0; round < 3; ++round) BOOST_TEST(get(seawall, "/a").body == "hello");
  BOOST_TEST("Last-Modified: " + origin.seen("/a", 2).headers.get("If-Modified-Since") == modified);
  BOOST_TEST(origin.unexpected() == 0U);
}

BOOST_AUTO_TEST_CASE(a_200_replaces_what_is_stored) {
  Origin origin;
  origin.script("/a", {reply(stale("old")), reply(fresh("new"))});
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a").body == "old");
  BOOST_TEST(get(seawall, "/a").body == "new");
  const Response hit = get(seawall, "/a");
  BOOST_TEST(hit.body == "new");
  BOOST_TEST(hit.is_hit());
}

BOOST_AUTO_TEST_CASE(no_cache_is_validated_each_time) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    const bool known = x.request().headers.get("If-None-Match") == "\"1\"";
    x.respond({.status = known ? 304 : 200,
               .headers = {"Cache-Control: max-age=60, no-cache", "ETag: \"1\""},
               .body = "hello"});
  });
  Seawall seawall(origin);
  for (std::size_t round = 1; round <= 4; ++round) {
    BOOST_TEST(get(seawall, "/a").body == "hello");
    BOOST_TEST(origin.count("/a") == round);
  }
  BOOST_TEST(origin.seen("/a", 4).headers.has("If-None-Match"));
}

BOOST_AUTO_TEST_CASE(a_client_s_own_condition_is_answered_here) {
  Origin origin;
  origin.script("/a", {
                          reply(stale("hello")),
                          reply({.status = 304, .headers = {"Cache-Control: max-age=60", "ETag: \"1\""}}),
                      });
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a").body == "hello");
  // The client has something else: it gets the whole, though the origin said 304 to the cache.
  const Response response = get(seawall, "/a", {"If-None-Match: \"other\""});
  BOOST_TEST(response.status == 200, response);
  BOOST_TEST(response.body == "hello");
  BOOST_TEST(get(seawall, "/a", {"If-None-Match: \"1\""}).status == 304);
  BOOST_TEST(origin.unexpected() == 0U);
}

BOOST_AUTO_TEST_CASE(stale_is_served_while_one_request_revalidates) {
  Origin origin;
  Gate gate;
  origin.script("/a", {reply(stale("old", {}, "max-age=10, stale-while-revalidate=5000")), [&](Exchange& x) {
                         x.hold(gate);
                         x.respond(fresh("new"));
                       }});
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a").body == "old");
  for (int i = 0; i < 10; ++i) {
    const Response response = get(seawall, "/a");
    BOOST_TEST(response.body == "old");
    BOOST_TEST(response.is_hit(), response);
    BOOST_TEST(contains(response.cache_status(), "stale-while-revalidate"), response);
    BOOST_TEST(response.age() >= 1000);
  }
  BOOST_TEST(until([&] { return origin.count("/a") == 2; }));
  gate.open();
  BOOST_TEST(until([&] { return get(seawall, "/a").body == "new"; }));
  BOOST_TEST(origin.count("/a") == 2U);
  BOOST_TEST(origin.unexpected() == 0U);
}

BOOST_AUTO_TEST_CASE(a_failed_background_validation_leaves_the_stale_response) {
  Origin origin;
  origin.script("/a", {reply(stale("old", {}, "max-age=10, stale-while-revalidate=5000")),
                       [](Exchange& x) { x.reset(); }, reply({.status = 503, .body = "no"}), reply(fresh("new"))});
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a").body == "old");
  for (std::size_t asked = 2; asked <= 3; ++asked) {
    // Each failure is followed by a pause.
    BOOST_TEST(until([&] {
      BOOST_TEST(get(seawall, "/a").body == "old");
      return origin.count("/a") >= asked;
    }));
  }
  BOOST_TEST(until([&] { return get(seawall, "/a").body == "new"; }));
}

BOOST_AUTO_TEST_CASE(past_the_window_the_origin_is_asked_first) {
  Origin origin;
  origin.script("/a", {reply(stale("old", {}, "max-age=10, stale-while-revalidate=5")), reply(fresh("new"))});
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a").body == "old");
  BOOST_TEST(get(seawall, "/a").body == "new");
}

struct Fault {
  const char* name;
  Handler handler;
};

std::vector<Fault> faults() {
  std::vector<Fault> out;
  for (const int status : {500, 502, 503, 504}) out.push_back({"5xx", reply({.status = status, .body = "error"})});
  out.push_back({"closed", [](Exchange& x) { x.close(); }});
  out.push_back({"reset", [](Exchange& x) { x.reset(); }});
  out.push_back({"garbage", [](Exchange& x) {
                   x.send("garbage\r\n\r\n");
                   x.close();
                 }});
  out.push_back({"silent", [](Exchange& x) { x.be_silent(); }});
  return out;
}

BOOST_AUTO_TEST_CASE(stale_is_served_when_the_origin_fails) {
  for (const Fault& fault : faults()) {
    BOOST_TEST_CONTEXT(fault.name) {
      Origin origin;
      origin.script("/a",
                    {reply(stale("old", {}, "max-age=10, stale-if-error=5000")), fault.handler, reply(fresh("new"))});
      Seawall seawall(origin, {.origin_timeouts = "first_byte = \"200ms\""});
      BOOST_TEST(get(seawall, "/a").body == "old");
      for (int round = 0; round < 2; ++round) {
        const Response response = get(seawall, "/a");
        BOOST_TEST(response.status == 200);
        BOOST_TEST(response.body == "old");
        // The second does not ask again.
        BOOST_TEST(contains(response.cache_status(), round == 0 ? "stale-if-error" : "stale-back-off"), response);
        BOOST_TEST(response.age() >= 1000);
      }
      BOOST_TEST(until([&] { return get(seawall, "/a").body == "new"; }));
      BOOST_TEST(origin.unexpected() == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(stale_is_served_when_the_origin_is_gone) {
  Origin origin;
  origin.on("/a", stale("old", {}, "max-age=10, stale-if-error=5000"));
  origin.on("/default", stale("old"));
  Seawall seawall(origin);
  for (const char* path : {"/a", "/default"}) get(seawall, path);
  origin.stop();
  // Also where the response does not say: the route's default allows a day.
  for (const char* path : {"/a", "/default"}) {
    const Response response = get(seawall, path);
    BOOST_TEST(response.body == "old", path);
    BOOST_TEST(contains(response.cache_status(), "stale-if-error"), response);
  }
  BOOST_TEST(get(seawall, "/unknown").status == 502);
}

BOOST_AUTO_TEST_CASE(stale_is_not_served_where_that_is_forbidden) {
  struct Row {
    const char* name;
    const char* cache_control;
  };
  const Row rows[] = {
      {"must-revalidate", "max-age=10, must-revalidate, stale-if-error=5000, stale-while-revalidate=5000"},
      {"proxy-revalidate", "max-age=10, proxy-revalidate, stale-if-error=5000, stale-while-revalidate=5000"},
      {"s-maxage", "s-maxage=10, stale-if-error=5000, stale-while-revalidate=5000"},
      {"no-cache", "max-age=10, no-cache, stale-if-error=5000"},
      {"past the window", "max-age=10, stale-if-error=5"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Origin origin;
      origin.script("/a", {reply(stale("old", {}, row.cache_control)), [](Exchange& x) { x.close(); },
                           reply({.status = 503, .body = "error"})});
      Seawall seawall(origin);
      BOOST_TEST(get(seawall, "/a").body == "old");
      const Response closed = get(seawall, "/a");
      BOOST_TEST((closed.status == 502 || closed.status == 504), closed);
      const Response error = get(seawall, "/a");
      BOOST_TEST((error.status == 503 || error.status == 504), error);
      origin.stop();
      BOOST_TEST(get(seawall, "/a").status / 100 == 5);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_client_may_allow_stale_on_error_for_longer) {
  Origin origin;
  origin.script("/a", {reply(stale("old", {}, "max-age=10, stale-if-error=5")), [](Exchange& x) { x.close(); }});
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a").body == "old");
  const Response response = get(seawall, "/a", {"Cache-Control: stale-if-error=5000"});
  BOOST_TEST((response.body == "old" || response.status == 502), response);
}

// A response that breaks off takes the place of nothing.
BOOST_AUTO_TEST_CASE(a_truncated_validation_does_not_replace_what_is_stored) {
  Origin origin;
  origin.script("/a", {reply(stale("old", {}, "max-age=10, stale-if-error=5000")),
                       [](Exchange& x) {
                         x.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nnew");
                         x.close();
                       },
                       [](Exchange& x) { x.close(); }});
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a").body == "old");
  const Response cut = get(seawall, "/a");
  BOOST_TEST((cut.is_cut() || cut.body == "old"), cut);
  const Response after = get(seawall, "/a");
  BOOST_TEST((after.body == "old" || after.status == 502), after);
  BOOST_TEST(after.body != "new");
}

BOOST_AUTO_TEST_CASE(unsafe_methods_invalidate_what_they_changed) {
  struct Row {
    const char* name;
    const char* method;
    int status;
    Lines headers = {};
    const char* path = "/a";  // whether this one
    bool invalidated = true;  // is then asked for anew
  };
  const Row rows[] = {
      {"POST", "POST", 200},
      {"PUT", "PUT", 204},
      {"DELETE", "DELETE", 200},
      {"PATCH", "PATCH", 200},
      {"unknown", "FOO", 200},
      {"M-SEARCH", "M-SEARCH", 200},
      {"redirect", "POST", 303},
      {"client error", "POST", 404, {}, "/a", false},
      {"server error", "POST", 500, {}, "/a", false},
      {"OPTIONS", "OPTIONS", 200, {}, "/a", false},
      {"HEAD", "HEAD", 200, {}, "/a", false},
      {"Location", "POST", 201, {"Location: /other"}, "/other"},
      {"absolute Location", "POST", 201, {"Location: http://a.test/other"}, "/other"},
      {"relative Location", "POST", 201, {"Location: other"}, "/other"},
      {"Content-Location", "POST", 200, {"Content-Location: /other"}, "/other"},
      {"other host", "POST", 201, {"Location: http://b.test/other"}, "/other", false},
      {"other path", "POST", 200, {}, "/other", false},
      {"Location of an error", "POST", 500, {"Location: /other"}, "/other", false},
      {"Location of a GET", "GET", 200, {"Location: /other"}, "/other", false},
  };
  Origin origin;
  Seawall seawall(origin);
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const Handler handler = [&row](Exchange& x) {
        x.read_body();
        if (x.request().method == "GET" && x.request().target != "/a?get") {
          x.respond({.headers = {"Cache-Control: max-age=60", "ETag: \"1\""}, .body = std::to_string(x.number())});
        } else {
          x.respond({.status = row.status, .headers = row.headers});
        }
      };
      for (const char* path : {"/a", "/a?get", "/other"}) {
        origin.on(path, handler);
        fetch(seawall, "DELETE", path);
      }
      const std::string before = get(seawall, row.path).body;
      BOOST_TEST(get(seawall, row.path).body == before);
      const bool is_get = std::string_view(row.method) == "GET";
      BOOST_TEST(fetch(seawall, row.method, is_get ? "/a?get" : "/a").status == row.status);
      const Response after = get(seawall, row.path);
      BOOST_TEST((after.body != before) == row.invalidated, after);
      // Leave nothing for the next row.
      origin.on(row.path, reply({.status = 204}));
      fetch(seawall, "DELETE", row.path);
    }
  }
}

// Somebody else's path cannot be thrown out by guessing its host.
BOOST_AUTO_TEST_CASE(invalidation_stays_with_the_host_of_the_request) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=60"},
               .body = x.request().headers.get("Host") + std::to_string(x.number())});
  });
  Seawall seawall(origin);
  const std::string one = get(seawall, "/a", {"Host: one.test"}).body;
  const std::string two = get(seawall, "/a", {"Host: two.test"}).body;
  fetch(seawall, "POST", "/a", {"Host: one.test"}, "x");
  BOOST_TEST(get(seawall, "/a", {"Host: two.test"}).body == two);
  BOOST_TEST(get(seawall, "/a", {"Host: one.test"}).body != one);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
