// RFC 9111 end to end: what is stored, when it is used, what a client may ask for.
#include <boost/test/unit_test.hpp>

#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_cache)

// Answers "1", "2", ... with those fields.
Handler numbered(Lines headers, int status = 200) {
  return [headers = std::move(headers), status](Exchange& x) {
    x.respond({.status = status, .headers = headers, .body = std::to_string(x.number())});
  };
}

BOOST_AUTO_TEST_CASE(a_fresh_response_is_used_and_says_so) {
  Origin origin;
  origin.on("/a", numbered({"Cache-Control: max-age=60", "Age: 20"}));
  Seawall seawall(origin);
  const Response miss = get(seawall, "/a");
  BOOST_TEST(miss.body == "1");
  BOOST_TEST(!miss.is_hit());
  BOOST_TEST(miss.cache_parameter("fwd").value_or("") == "uri-miss", miss);
  BOOST_TEST(miss.cache_parameter("fwd-status").value_or("200") == "200", miss);
  BOOST_TEST(miss.cache_parameter("stored").has_value(), miss);
  const Response hit = get(seawall, "/a");
  BOOST_TEST(hit.body == "1");
  BOOST_TEST(hit.is_hit(), hit);
  BOOST_TEST(hit.age() >= 20);
  BOOST_TEST(hit.age() <= 25);
  const long ttl = std::stol(hit.cache_parameter("ttl").value_or("-1"));
  BOOST_TEST(ttl <= 40);
  BOOST_TEST(ttl >= 30);
  BOOST_TEST(hit.headers.count("Age") == 1U);
  BOOST_TEST(hit.headers.count("Content-Length") == 1U);
  BOOST_TEST(hit.headers.count("Date") == 1U);
  BOOST_TEST(origin.count("/a") == 1U);
}

struct Row {
  const char* name;
  Lines request = {};
  Lines response = {};
  int status = 200;
  bool stored = true;
};

void expect_stored(const Row* begin, const Row* end) {
  Origin origin;
  Seawall seawall(origin);
  for (const Row* row = begin; row != end; ++row) {
    BOOST_TEST_CONTEXT(row->name) {
      const std::string path = "/" + std::to_string(row - begin);
      origin.on(path, numbered(row->response, row->status));
      const Response first = get(seawall, path, row->request);
      BOOST_TEST(first.status == row->status);
      BOOST_TEST(first.body == "1");
      const Response second = get(seawall, path, row->request);
      BOOST_TEST(second.status == row->status);
      BOOST_TEST(second.body == (row->stored ? "1" : "2"), second);
      BOOST_TEST(second.is_hit() == row->stored, second);
      BOOST_TEST(origin.count(path) == (row->stored ? 1U : 2U));
    }
  }
}

BOOST_AUTO_TEST_CASE(cache_control_decides_what_is_stored) {
  const Row rows[] = {
      {.name = "max-age", .response = {"Cache-Control: max-age=60"}},
      {.name = "case", .response = {"cache-control: Max-Age=60"}},
      {.name = "quoted", .response = {"Cache-Control: max-age=\"60\""}},
      {.name = "huge", .response = {"Cache-Control: max-age=99999999999999999999"}},
      {.name = "several lines", .response = {"Cache-Control: public", "Cache-Control: max-age=60"}},
      {.name = "s-maxage over max-age", .response = {"Cache-Control: max-age=0, s-maxage=60"}},
      {.name = "s-maxage=0", .response = {"Cache-Control: max-age=60, s-maxage=0"}, .stored = false},
      {.name = "max-age over Expires", .response = {"Cache-Control: max-age=60", "Expires: " + http_date(-60)}},
      {.name = "unknown directive", .response = {"Cache-Control: max-age=60, community=\"UCI, no-store\""}},
      {.name = "garbage around", .response = {"Cache-Control: ,,; =, max-age=60"}},
      {.name = "no-store", .response = {"Cache-Control: max-age=60, no-store"}, .stored = false},
      {.name = "NO-STORE", .response = {"Cache-Control: max-age=60", "Cache-Control: NO-STORE"}, .stored = false},
      {.name = "private", .response = {"Cache-Control: max-age=60, private"}, .stored = false},
      {.name = "no-cache", .response = {"Cache-Control: max-age=60, no-cache"}, .stored = false},
      {.name = "max-age=0", .response = {"Cache-Control: max-age=0"}, .stored = false},
      {.name = "max-age of letters", .response = {"Cache-Control: max-age=sixty"}, .stored = false},
      {.name = "negative", .response = {"Cache-Control: max-age=-60"}, .stored = false},
      {.name = "the least counts", .response = {"Cache-Control: max-age=60, max-age=0"}, .stored = false},
      {.name = "old on arrival", .response = {"Cache-Control: max-age=60", "Age: 3600"}, .stored = false},
      {.name = "old by Date", .response = {"Cache-Control: max-age=60", "Date: " + http_date(-3600)}, .stored = false},
      {.name = "Expires", .response = {"Expires: " + http_date(60)}},
      {.name = "Expires in the past", .response = {"Expires: " + http_date(-60)}, .stored = false},
      {.name = "Expires 0", .response = {"Expires: 0"}, .stored = false},
      {.name = "Expires 1970", .response = {"Expires: Thu, 01 Jan 1970 00:00:00 GMT"}, .stored = false},
      {.name = "Expires garbage",
       .response = {"Expires: soon", "Last-Modified: " + http_date(-864000)},
       .stored = false},
      {.name = "Vary *", .response = {"Cache-Control: max-age=60", "Vary: *"}, .stored = false},
      {.name = "Vary * in a list", .response = {"Cache-Control: max-age=60", "Vary: Accept, *"}, .stored = false},
      {.name = "must-understand, understood", .response = {"Cache-Control: max-age=60, must-understand, no-store"}},
      {.name = "must-understand, unknown status",
       .response = {"Cache-Control: max-age=60, must-understand"},
       .status = 599,
       .stored = false},
  };
  expect_stored(std::begin(rows), std::end(rows));
}

BOOST_AUTO_TEST_CASE(heuristics_and_status_codes_decide_what_is_stored) {
  const std::string modified = "Last-Modified: " + http_date(-10L * 24 * 3600);
  std::vector<Row> rows = {
      {.name = "no freshness, no validator", .stored = false},
      {.name = "heuristic", .response = {modified}},
      {.name = "heuristic 404", .response = {modified}, .status = 404},
      {.name = "heuristic 301", .response = {modified}, .status = 301},
      {.name = "heuristic 410", .response = {modified}, .status = 410},
      {.name = "no heuristic 201", .response = {modified}, .status = 201, .stored = false},
      {.name = "no heuristic 500", .response = {modified}, .status = 500, .stored = false},
      {.name = "no heuristic 599", .response = {modified}, .status = 599, .stored = false},
      {.name = "public makes it so", .response = {modified, "Cache-Control: public"}, .status = 599},
      {.name = "set-cookie with heuristic", .response = {modified, "Set-Cookie: a=b"}, .stored = false},
      {.name = "set-cookie with max-age", .response = {"Cache-Control: max-age=60", "Set-Cookie: a=b"}},
      {.name = "query with heuristic", .response = {modified}},
  };
  for (const int status :
       {200, 201, 203, 299, 301, 302, 307, 308, 400, 403, 404, 405, 410, 414, 451, 499, 500, 501, 503, 599}) {
    rows.push_back({.name = "explicit", .response = {"Cache-Control: max-age=60"}, .status = status});
  }
  expect_stored(rows.data(), rows.data() + rows.size());
}

BOOST_AUTO_TEST_CASE(requests_decide_what_is_stored) {
  const Lines authorized = {"Authorization: Basic YTpi"};
  const Row rows[] = {
      {.name = "authorization", .request = authorized, .response = {"Cache-Control: max-age=60"}, .stored = false},
      {.name = "authorization, public", .request = authorized, .response = {"Cache-Control: max-age=60, public"}},
      {.name = "authorization, s-maxage", .request = authorized, .response = {"Cache-Control: s-maxage=60"}},
      {.name = "authorization, must-revalidate",
       .request = authorized,
       .response = {"Cache-Control: max-age=60, must-revalidate"}},
      {.name = "authorization, private",
       .request = authorized,
       .response = {"Cache-Control: s-maxage=60, private"},
       .stored = false},
      {.name = "no-store",
       .request = {"Cache-Control: no-store"},
       .response = {"Cache-Control: max-age=60"},
       .stored = false},
      {.name = "no-cache",
       .request = {"Cache-Control: no-cache"},
       .response = {"Cache-Control: max-age=60"},
       .stored = false},
      {.name = "max-age=0",
       .request = {"Cache-Control: max-age=0"},
       .response = {"Cache-Control: max-age=60", "Age: 1"},
       .stored = false},
      {.name = "Pragma", .request = {"Pragma: no-cache"}, .response = {"Cache-Control: max-age=60"}, .stored = false},
      {.name = "Pragma with Cache-Control",
       .request = {"Pragma: no-cache", "Cache-Control: max-stale=5"},
       .response = {"Cache-Control: max-age=60"}},
      {.name = "min-fresh that holds",
       .request = {"Cache-Control: min-fresh=10"},
       .response = {"Cache-Control: max-age=60"}},
      {.name = "min-fresh that does not",
       .request = {"Cache-Control: min-fresh=100"},
       .response = {"Cache-Control: max-age=60"},
       .stored = false},
      {.name = "cookie", .request = {"Cookie: a=b"}, .response = {"Cache-Control: max-age=60"}},
  };
  expect_stored(std::begin(rows), std::end(rows));
}

BOOST_AUTO_TEST_CASE(targeted_fields_come_first) {
  const Row rows[] = {
      {.name = "CDN over Cache-Control", .response = {"CDN-Cache-Control: max-age=60", "Cache-Control: no-store"}},
      {.name = "CDN over Expires", .response = {"CDN-Cache-Control: max-age=60", "Expires: 0"}},
      {.name = "CDN no-store",
       .response = {"CDN-Cache-Control: no-store", "Cache-Control: max-age=60"},
       .stored = false},
      {.name = "CDN max-age=0",
       .response = {"CDN-Cache-Control: max-age=0", "Cache-Control: max-age=60"},
       .stored = false},
      {.name = "own name over CDN", .response = {"Seawall-Cache-Control: max-age=60", "CDN-Cache-Control: no-store"}},
      {.name = "invalid CDN is ignored",
       .response = {"CDN-Cache-Control: max-age=60, &&&", "Cache-Control: no-store"},
       .stored = false},
      {.name = "empty CDN is ignored", .response = {"CDN-Cache-Control:", "Cache-Control: max-age=60"}},
      {.name = "CDN without age",
       .response = {"CDN-Cache-Control: must-revalidate", "Cache-Control: max-age=60"},
       .stored = false},
  };
  expect_stored(std::begin(rows), std::end(rows));
}

BOOST_AUTO_TEST_CASE(named_fields_are_not_stored) {
  Origin origin;
  origin.on("/private", Reply{.headers = {"Cache-Control: max-age=60, private=\"X-User, Set-Cookie\"", "X-User: me",
                                          "Set-Cookie: a=b", "X-All: us"}});
  origin.on("/no-cache",
            Reply{.headers = {"Cache-Control: max-age=60, no-cache=\"X-User\"", "X-User: me", "X-All: us"}});
  Seawall seawall(origin);
  for (const char* path : {"/private", "/no-cache"}) {
    BOOST_TEST_CONTEXT(path) {
      BOOST_TEST(get(seawall, path).get("X-User") == "me");
      const Response second = get(seawall, path);
      BOOST_TEST(second.is_hit(), second);
      BOOST_TEST(!second.has("X-User"));
      BOOST_TEST(!second.has("Set-Cookie"));
      BOOST_TEST(second.get("X-All") == "us");
    }
  }
}

BOOST_AUTO_TEST_CASE(head_is_answered_from_a_stored_get) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=60", "X: " + x.request().method}, .body = "hello"});
  });
  Seawall seawall(origin);
  Client client(seawall);
  const Response first = client.request("HEAD", "/a");
  BOOST_TEST(first.get("Content-Length") == "5");
  BOOST_TEST(first.body.empty());
  // A HEAD brings no body that a GET could be answered with.
  BOOST_TEST(client.get("/a").body == "hello");
  BOOST_TEST(origin.count("/a") == 2U);
  const Response hit = client.request("HEAD", "/a");
  BOOST_TEST(hit.is_hit(), hit);
  BOOST_TEST(hit.get("Content-Length") == "5");
  BOOST_TEST(hit.get("X") == "GET");
  BOOST_TEST(hit.body.empty());
  BOOST_TEST(client.get("/a").body == "hello");
  BOOST_TEST(origin.count("/a") == 2U);
}

BOOST_AUTO_TEST_CASE(head_refreshes_what_is_stored_or_shows_it_to_be_gone) {
  for (const bool agrees : {true, false}) {
    BOOST_TEST_CONTEXT((agrees ? "agrees" : "differs")) {
      Origin origin;
      origin.script(
          "/a",
          {
              reply({.headers = {"Cache-Control: max-age=10", "Age: 100", "ETag: \"1\"", "X: old"}, .body = "one"}),
              reply({.headers = {"Cache-Control: max-age=60", agrees ? "ETag: \"1\"" : "ETag: \"2\"", "X: new"},
                     .body = "two"}),
              reply({.headers = {"Cache-Control: max-age=60", "ETag: \"2\"", "X: newer"}, .body = "two"}),
          });
      Seawall seawall(origin, {.route = "stale = { while_revalidate = \"0s\" }"});
      BOOST_TEST(get(seawall, "/a").body == "one");
      BOOST_TEST(fetch(seawall, "HEAD", "/a", {"Cache-Control: no-cache"}).status == 200);
      BOOST_TEST(origin.seen("/a", 2).method == "HEAD");
      const Response after = get(seawall, "/a");
      BOOST_TEST(after.body == (agrees ? "one" : "two"), after);
      BOOST_TEST(after.get("X") == (agrees ? "new" : "newer"));
      BOOST_TEST(origin.count("/a") == (agrees ? 2U : 3U));
    }
  }
}

BOOST_AUTO_TEST_CASE(only_if_cached_never_asks_the_origin) {
  Origin origin;
  origin.on("/a", numbered({"Cache-Control: max-age=60"}));
  origin.on("/stale", numbered({"Cache-Control: max-age=10", "Age: 1000", "ETag: \"1\""}));
  Seawall seawall(origin);
  const Response none = get(seawall, "/a", {"Cache-Control: only-if-cached"});
  BOOST_TEST(none.status == 504);
  BOOST_TEST(none.cache_parameter("detail").has_value(), none);
  BOOST_TEST(origin.total() == 0U);
  get(seawall, "/a");
  get(seawall, "/stale");
  BOOST_TEST(get(seawall, "/a", {"Cache-Control: only-if-cached"}).is_hit());
  BOOST_TEST(get(seawall, "/stale", {"Cache-Control: only-if-cached"}).status == 504);
  BOOST_TEST(get(seawall, "/stale", {"Cache-Control: only-if-cached, max-stale"}).body == "1");
  BOOST_TEST(origin.total() == 2U);
}

BOOST_AUTO_TEST_CASE(a_client_may_accept_what_is_stale) {
  Origin origin;
  const Lines stale = {"Cache-Control: max-age=10", "Age: 1000", "ETag: \"1\""};
  origin.on("/a", numbered(stale));
  origin.on("/must", numbered({"Cache-Control: max-age=10, must-revalidate", "Age: 1000", "ETag: \"1\""}));
  Seawall seawall(origin);
  get(seawall, "/a");
  get(seawall, "/must");
  const Response response = get(seawall, "/a", {"Cache-Control: max-stale=2000"});
  BOOST_TEST(response.body == "1");
  BOOST_TEST(response.is_hit(), response);
  BOOST_TEST(std::stol(response.cache_parameter("ttl").value_or("0")) <= -990);
  BOOST_TEST(get(seawall, "/a", {"Cache-Control: max-stale"}).body == "1");
  BOOST_TEST(get(seawall, "/must", {"Cache-Control: max-stale"}).body == "2");
  BOOST_TEST(get(seawall, "/a", {"Cache-Control: max-stale=100"}).body == "2");
}

BOOST_AUTO_TEST_CASE(a_route_may_ignore_what_clients_demand) {
  Origin origin;
  origin.on("/a", numbered({"Cache-Control: max-age=60"}));
  Seawall seawall(origin, {.route = "honour_request_directives = false"});
  get(seawall, "/a");
  for (const char* line :
       {"Cache-Control: no-cache", "Cache-Control: max-age=0", "Cache-Control: min-fresh=100", "Pragma: no-cache"}) {
    BOOST_TEST(get(seawall, "/a", {line}).body == "1", line);
  }
}

BOOST_AUTO_TEST_CASE(an_immutable_response_is_not_reloaded) {
  Origin origin;
  origin.on("/a", numbered({"Cache-Control: max-age=60, immutable"}));
  Seawall seawall(origin);
  get(seawall, "/a");
  BOOST_TEST(get(seawall, "/a", {"Cache-Control: max-age=0"}).body == "1");
}

BOOST_AUTO_TEST_CASE(methods_are_told_apart_by_case) {
  Origin origin;
  origin.on("/a",
            [](Exchange& x) { x.respond({.headers = {"Cache-Control: max-age=60"}, .body = x.request().method}); });
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a").body == "GET");
  const Response lower = fetch(seawall, "get", "/a");
  BOOST_TEST((lower.body == "get" || lower.status / 100 == 4 || lower.status == 501), lower);
  BOOST_TEST(!lower.is_hit());
}

BOOST_AUTO_TEST_CASE(a_get_with_a_body_is_passed) {
  Origin origin;
  origin.on("/a",
            [](Exchange& x) { x.respond({.headers = {"Cache-Control: max-age=60"}, .body = "for " + x.read_body()}); });
  Seawall seawall(origin);
  BOOST_TEST(fetch(seawall, "GET", "/a", {}, "evil").body == "for evil");
  BOOST_TEST(get(seawall, "/a").body == "for ");
  BOOST_TEST(get(seawall, "/a").is_hit());
  BOOST_TEST(fetch(seawall, "GET", "/a", {}, "more").body == "for more");
  BOOST_TEST(get(seawall, "/a").body == "for ");
  BOOST_TEST(origin.count("/a") == 3U);
}

BOOST_AUTO_TEST_CASE(queries_and_paths_are_told_apart) {
  Origin origin;
  origin.otherwise(
      [](Exchange& x) { x.respond({.headers = {"Cache-Control: max-age=60"}, .body = x.request().target}); });
  Seawall seawall(origin);
  const char* const targets[] = {"/a",         "/a?", "/a?x=1", "/a?x=2", "/a?x=1&y=2",
                                 "/a?y=2&x=1", "/a/", "/A",     "/a%2f",  "/a;x=1"};
  for (const char* target : targets) BOOST_TEST(!get(seawall, target).is_hit(), target);
  for (const char* target : targets) {
    const Response response = get(seawall, target);
    BOOST_TEST(response.is_hit(), target);
    BOOST_TEST(iequals(response.body, target));
  }
}

BOOST_AUTO_TEST_CASE(a_post_may_bring_what_a_get_is_answered_with) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.read_body();
    x.respond({.headers = {"Cache-Control: max-age=60", "Content-Location: /a"}, .body = x.request().method});
  });
  origin.on("/b", [](Exchange& x) {
    x.read_body();
    x.respond({.headers = {"Cache-Control: max-age=60", "Content-Location: /other"}, .body = x.request().method});
  });
  origin.on("/c", [](Exchange& x) {
    x.read_body();
    x.respond({.headers = {"Cache-Control: max-age=60"}, .body = x.request().method});
  });
  Seawall seawall(origin);
  for (const char* path : {"/a", "/b", "/c"}) BOOST_TEST(fetch(seawall, "POST", path, {}, "x").body == "POST");
  BOOST_TEST(get(seawall, "/a").body == "POST");
  BOOST_TEST(get(seawall, "/b").body == "GET");
  BOOST_TEST(get(seawall, "/c").body == "GET");
  // A POST itself is never answered from the store.
  BOOST_TEST(!fetch(seawall, "POST", "/a", {}, "x").is_hit());
  BOOST_TEST(origin.count("/a") == 2U);
}

BOOST_AUTO_TEST_CASE(every_answer_says_how_it_came_about) {
  Origin origin;
  origin.on("/ok", Reply{.headers = {"Cache-Control: max-age=60", "ETag: \"1\""}, .body = "hello"});
  origin.on("/bad", [](Exchange& x) {
    x.send("garbage\r\n\r\n");
    x.close();
  });
  origin.on("/post", Reply{.status = 204});
  Seawall seawall(origin);
  struct Case {
    const char* name;
    Response response;
    int status;
  };
  Client malformed(seawall);
  malformed.send("GET /\x01 HTTP/1.1\r\n\r\n");
  const Case cases[] = {
      {"miss", get(seawall, "/ok"), 200},
      {"hit", get(seawall, "/ok"), 200},
      {"not modified", get(seawall, "/ok", {"If-None-Match: \"1\""}), 304},
      {"range", get(seawall, "/ok", {"Range: bytes=0-1"}), 206},
      {"range that does not exist", get(seawall, "/ok", {"Range: bytes=9-"}), 416},
      {"precondition", get(seawall, "/ok", {"If-Match: \"2\""}), 412},
      {"bad origin", get(seawall, "/bad"), 502},
      {"passed", fetch(seawall, "POST", "/post"), 204},
      {"only-if-cached", get(seawall, "/none", {"Cache-Control: only-if-cached"}), 504},
      {"malformed", malformed.read(), 400},
  };
  for (const Case& row : cases) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(row.response.status == row.status, row.response);
      BOOST_TEST(row.response.headers.count("Cache-Status") == 1U, row.response);
      BOOST_TEST(row.response.cache_status().starts_with("seawall"));
    }
  }
}

BOOST_AUTO_TEST_CASE(cache_status_of_caches_behind_is_kept) {
  Origin origin;
  origin.on("/a", numbered({"Cache-Control: max-age=60", "Cache-Status: behind; hit; ttl=5"}));
  Seawall seawall(origin);
  for (int round = 0; round < 2; ++round) {
    const std::string status = get(seawall, "/a").cache_status();
    BOOST_TEST(status.starts_with("behind; hit; ttl=5, seawall; "), status);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
