// Purging: by URL, prefix and tag, hard and soft, through the command, the API and PURGE requests.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <mutex>

#include "support/behave/admin.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_purge)

std::string config(const Origin& origin, const std::string& route = {}, const std::string& admin = {},
                   const std::string& lines = {}) {
  return std::string(kAdminSection) + admin + "\n[[origin]]\nname = \"main\"\nservers = [\"http://" +
         origin.authority() + "\"]\nfill = { cold_start = \"0s\", concurrent = 1 }\n" + lines +
         "\n[[route]]\nname = \"all\"\n" + route + "\n";
}

// Each answer has a number of its own, and the tags that the query names.
Handler numbered() {
  return [](Exchange& x) {
    const std::string& target = x.request().target;
    Lines headers = {"Cache-Control: max-age=600", "ETag: \"" + std::to_string(x.number()) + "\""};
    if (const auto at = target.find("tags="); at != std::string::npos) {
      headers.push_back("Cache-Tag: " + target.substr(at + 5));
    }
    x.respond({.headers = headers, .body = std::to_string(x.number())});
  };
}

struct Outcome {
  int code;
  std::string output;
};

Outcome run_purge(const Admin& admin, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(),
                   {seawall_binary(), "purge", "--admin", "127.0.0.1:" + std::to_string(admin.port())});
  Process process(arguments);
  const int code = process.wait();
  return {code, process.output()};
}

Response purge(const Admin& admin, const std::string& body) {
  return admin.request("POST", "/v1/purge", {"Content-Type: application/json"}, body);
}

const std::vector<std::string> kPaths = {"/a/1?tags=red", "/a/2?tags=red,blue", "/a/3", "/b/1?tags=blue", "/b/2"};

// All of them stored; then which of them are not, after what `act` does.
template <typename Act>
std::vector<std::string> purged_by(const Seawall& seawall, const Act& act) {
  for (const std::string& path : kPaths) {
    get(seawall, path);
    BOOST_TEST(get(seawall, path).is_hit(), path);
  }
  act();
  std::vector<std::string> gone;
  for (const std::string& path : kPaths) {
    if (!get(seawall, path).is_hit()) gone.push_back(path);
  }
  return gone;
}

struct Row {
  const char* name;
  std::vector<std::string> arguments;
  std::string json;
  std::vector<std::string> gone;
};

std::vector<Row> rows() {
  const std::string host = "http://a.test";
  return {
      {"url", {host + kPaths[0]}, R"("urls": ["http://a.test/a/1?tags=red"])", {kPaths[0]}},
      {"url in another form", {"HTTP://A.TEST:80/b/%32"}, R"("urls": ["http://A.test:80/b/2"])", {kPaths[4]}},
      {"urls",
       {host + kPaths[2], host + kPaths[4]},
       R"("urls": ["http://a.test/a/3", "http://a.test/b/2"])",
       {kPaths[2], kPaths[4]}},
      {"prefix", {"--prefix", host + "/a/"}, R"("prefixes": ["http://a.test/a/"])", {kPaths[0], kPaths[1], kPaths[2]}},
      {"tag", {"--tag", "blue"}, R"("tags": ["blue"])", {kPaths[1], kPaths[3]}},
      {"tags and url",
       {"--tag", "red", "--tag", "none", host + kPaths[4]},
       R"("tags": ["red", "none"], "urls": ["http://a.test/b/2"])",
       {kPaths[0], kPaths[1], kPaths[4]}},
      {"nothing stored", {host + "/other", "--tag", "Blue"}, R"("tags": ["Blue"], "prefixes": ["http://b.test/"])", {}},
  };
}

BOOST_AUTO_TEST_CASE(what_is_purged_is_gone_at_once_and_nothing_else) {
  Origin origin;
  origin.otherwise(numbered());
  Seawall seawall(config(origin));
  const Admin admin(seawall);
  for (const Row& row : rows()) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto by_command = purged_by(seawall, [&] {
        const Outcome outcome = run_purge(admin, row.arguments);
        BOOST_TEST(outcome.code == 0, outcome.output);
        BOOST_TEST(contains(outcome.output, "purged: "), outcome.output);
      });
      BOOST_TEST(by_command == row.gone, boost::test_tools::per_element());
      const auto by_api = purged_by(seawall, [&] { BOOST_TEST(purge(admin, "{" + row.json + "}").status == 200); });
      BOOST_TEST(by_api == row.gone, boost::test_tools::per_element());
    }
  }
  BOOST_TEST(admin.metric("seawall_purged_total{kind=\"url\"}") > 0);
  BOOST_TEST(admin.metric("seawall_purged_total{kind=\"rule\"}") > 0);
}

BOOST_AUTO_TEST_CASE(what_came_after_a_purge_stays) {
  Origin origin;
  origin.otherwise(numbered());
  Seawall seawall(config(origin));
  const Admin admin(seawall);
  get(seawall, kPaths[0]);
  purge(admin, R"({"tags": ["red"], "prefixes": ["http://a.test/a/"], "urls": ["http://a.test/a/1?tags=red"]})");
  BOOST_TEST(get(seawall, kPaths[0]).body == "2");
  BOOST_TEST(get(seawall, kPaths[1]).body == "1");
  // And after the sweep, for which nothing is left.
  BOOST_TEST(run_purge(admin, {"--tag", "none"}).code == 0);
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(get(seawall, kPaths[0]).is_hit());
    BOOST_TEST(get(seawall, kPaths[1]).is_hit());
  }
}

BOOST_AUTO_TEST_CASE(a_soft_purge_leaves_a_stale_copy_and_refreshes_it_without_a_client) {
  for (const Row& row : rows()) {
    if (row.gone.empty()) continue;
    BOOST_TEST_CONTEXT(row.name) {
      Origin origin;
      origin.otherwise(numbered());
      Seawall seawall(config(origin));
      const Admin admin(seawall);
      for (const std::string& path : kPaths) get(seawall, path);
      std::vector<std::string> arguments = row.arguments;
      arguments.push_back("--soft");
      const Outcome outcome = run_purge(admin, arguments);
      BOOST_TEST(outcome.code == 0, outcome.output);
      BOOST_TEST(contains(outcome.output, "purged softly: "), outcome.output);
      for (const std::string& path : row.gone) {
        BOOST_TEST(until([&] { return origin.count(path) == 2; }), path);
        BOOST_TEST(origin.seen(path, 2).headers.get("If-None-Match") == "\"1\"");
        BOOST_TEST(until([&] { return get(seawall, path).body == "2"; }), path);
      }
      BOOST_TEST(origin.total() == kPaths.size() + row.gone.size());
    }
  }
}

BOOST_AUTO_TEST_CASE(while_a_softly_purged_copy_is_refreshed_clients_may_get_it) {
  Gate gate;
  Origin origin;
  origin.script("/a", {numbered(), [&](Exchange& x) {
                         x.hold(gate);
                         numbered()(x);
                       }});
  Seawall seawall(config(origin, "stale = { while_revalidate = \"1m\" }"));
  const Admin admin(seawall);
  get(seawall, "/a");
  BOOST_TEST(purge(admin, R"({"urls": ["http://a.test/a"], "soft": true})").status == 200);
  BOOST_TEST(until([&] { return origin.count("/a") == 2; }));
  for (int i = 0; i < 5; ++i) {
    const Response response = get(seawall, "/a");
    BOOST_TEST(response.body == "1", response);
    BOOST_TEST(contains(response.cache_status(), "stale-while-revalidate"), response);
  }
  gate.open();
  BOOST_TEST(until([&] { return get(seawall, "/a").body == "2"; }));
  BOOST_TEST(origin.count("/a") == 2U);
}

BOOST_AUTO_TEST_CASE(a_softly_purged_copy_still_serves_when_the_origin_fails) {
  Origin origin;
  origin.script("/a", {numbered()});
  origin.otherwise(reply({.status = 503}));
  Seawall seawall(config(origin));
  const Admin admin(seawall);
  get(seawall, "/a");
  BOOST_TEST(purge(admin, R"({"prefixes": ["http://a.test/"], "soft": true})").status == 200);
  for (int i = 0; i < 5; ++i) {
    const Response response = get(seawall, "/a");
    BOOST_TEST(response.body == "1", response);
    BOOST_TEST(contains(response.cache_status(), "detail=stale-"), response);
  }
}

BOOST_AUTO_TEST_CASE(the_hottest_are_refreshed_first) {
  std::mutex mutex;
  std::vector<std::string> refreshed;
  Origin origin;
  origin.otherwise([&](Exchange& x) {
    if (x.number() > 1) {
      const std::lock_guard lock(mutex);
      refreshed.push_back(x.request().target);
    }
    numbered()(x);
  });
  Seawall seawall(config(origin));
  const Admin admin(seawall);
  const std::vector<std::string> by_heat = {"/c?tags=t", "/a?tags=t", "/d?tags=t", "/b?tags=t"};
  for (const char* path : {"/a?tags=t", "/b?tags=t", "/c?tags=t", "/d?tags=t"}) get(seawall, path);
  for (std::size_t i = 0; i < by_heat.size(); ++i) {
    for (std::size_t hits = 3; hits > i; --hits) BOOST_TEST(get(seawall, by_heat[i]).is_hit());
  }
  BOOST_TEST(purge(admin, R"({"tags": ["t"], "soft": true})").status == 200);
  BOOST_TEST(until([&] {
    const std::lock_guard lock(mutex);
    return refreshed.size() == by_heat.size();
  }));
  const std::lock_guard lock(mutex);
  BOOST_TEST(refreshed == by_heat, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_answer_on_its_way_while_it_is_purged_is_not_kept) {
  for (const char* json :
       {R"({"urls": ["http://a.test/a?tags=red"]})", R"({"prefixes": ["http://a.test/"]})", R"({"tags": ["red"]})"}) {
    for (const bool is_in_the_body : {false, true}) {
      BOOST_TEST_CONTEXT(json << (is_in_the_body ? " in the body" : " before the head")) {
        Gate gate;
        Origin origin;
        origin.script("/a", {[&](Exchange& x) {
                               if (!is_in_the_body) x.hold(gate);
                               x.send(
                                   "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nCache-Tag: red\r\n"
                                   "Content-Length: 6\r\n\r\nold");
                               if (is_in_the_body) x.hold(gate);
                               x.send("old");
                             },
                             numbered()});
        Seawall seawall(config(origin));
        const Admin admin(seawall);
        Client client(seawall);
        client.send_request("GET", "/a?tags=red");
        BOOST_TEST(until([&] { return origin.count("/a") == 1; }));
        if (is_in_the_body) client.read_body(3);
        BOOST_TEST(purge(admin, json).status == 200);
        gate.open();
        // Who asked before may have it, who asks after may not.
        BOOST_TEST(client.read_rest().body == "oldold");
        BOOST_TEST(get(seawall, "/a?tags=red").body == "2");
        BOOST_TEST(get(seawall, "/a?tags=red").is_hit());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(purge_requests_are_obeyed_from_whom_they_may_come) {
  Origin origin;
  origin.otherwise(numbered());
  struct Case {
    const char* purge_from;
    int status;
  };
  for (const Case& one :
       {Case{"\"10.0.0.0/8\", \"127.0.0.1\"", 200}, Case{"\"127.0.0.0/8\"", 200}, Case{"\"10.0.0.0/8\"", 403}}) {
    BOOST_TEST_CONTEXT(one.purge_from) {
      Seawall seawall(config(origin, {}, std::string("purge_from = [") + one.purge_from + "]"));
      get(seawall, "/a");
      const std::size_t before = origin.total();
      const Response response = fetch(seawall, "PURGE", "/a");
      BOOST_TEST(response.status == one.status, response);
      BOOST_TEST(origin.total() == before);
      BOOST_TEST(get(seawall, "/a").is_hit() == (one.status != 200));
      if (one.status != 200) continue;
      BOOST_TEST(response.body == "purged 1\n");
      BOOST_TEST(fetch(seawall, "PURGE", "/other").body == "purged 0\n");
      // Softly, so that it can be revalidated.
      BOOST_TEST(fetch(seawall, "PURGE", "/a", {"Soft-Purge: 1"}).status == 200);
      get(seawall, "/a");
      BOOST_TEST(origin.seen("/a").headers.has("If-None-Match"));
    }
  }
}

BOOST_AUTO_TEST_CASE(without_the_key_purge_is_a_method_like_another) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.respond(
        {.status = x.request().method == "PURGE" ? 405 : 200, .headers = {"Cache-Control: max-age=600"}, .body = "a"});
  });
  Seawall seawall(config(origin));
  get(seawall, "/a");
  BOOST_TEST(fetch(seawall, "PURGE", "/a").status == 405);
  BOOST_TEST(origin.seen("/a", 2).method == "PURGE");
}

BOOST_AUTO_TEST_CASE(bad_purges_are_explained_and_change_nothing) {
  Origin origin;
  origin.otherwise(numbered());
  Seawall seawall(config(origin));
  const Admin admin(seawall);
  get(seawall, "/a");
  std::string too_many = "{\"tags\": [\"t\"";
  for (int i = 0; i < 1000; ++i) too_many += ",\"t\"";
  too_many += "]}";
  const std::string good = "http://a.test/a";
  for (const std::string& body :
       {std::string(), std::string("no json"), std::string("[]"), std::string("{}"), std::string(R"({"urls": []})"),
        std::string(R"({"urls": "http://a.test/a"})"), std::string(R"({"urls": ["http://a.test/a", 1]})"),
        std::string(R"({"urls": ["http://a.test/a", "/a"]})"),
        std::string(R"({"urls": ["http://a.test/a", "ftp://a/"]})"),
        std::string(R"({"prefixes": ["a.test/"], "urls": ["http://a.test/a"]})"),
        std::string(R"({"tags": [""], "urls": ["http://a.test/a"]})"),
        std::string(R"({"tags": ["two words"], "urls": ["http://a.test/a"]})"),
        std::string(R"({"urls": ["http://a.test/a"], "soft": "yes"})"),
        std::string(R"({"urls": ["http://a.test/a"], "hard": true})"),
        std::string("{\"urls\": [\"http://a.test/a\"], \"tags\": [\"\xff\"]}"), too_many}) {
    BOOST_TEST_CONTEXT(body.substr(0, 80)) {
      const Response response = purge(admin, body);
      BOOST_TEST(response.status == 400, response);
      BOOST_TEST(response.get("Content-Type") == "application/problem+json", response);
    }
  }
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{},
                                                    {"/a"},
                                                    {"a.test/a", "http://a.test/a"},
                                                    {"--tag", ""},
                                                    {"--prefix", "/a"},
                                                    {"--host", "bad host", "/a"},
                                                    {"--admn", "x", "http://a.test/a"}}) {
    const Outcome outcome = run_purge(admin, arguments);
    BOOST_TEST((outcome.code == 1 || outcome.code == 2), outcome.output);
    BOOST_TEST(contains(outcome.output, "seawall: "), outcome.output);
  }
  BOOST_TEST(get(seawall, "/a").is_hit());
  BOOST_TEST(run_purge(admin, {"--host", "a.test", "/a"}).code == 0);
  BOOST_TEST(!get(seawall, "/a").is_hit());
}

BOOST_AUTO_TEST_CASE(without_a_server_the_command_says_so) {
  Process process({seawall_binary(), "purge", "--admin", "127.0.0.1:" + std::to_string(unused_port()), "--tag", "a"});
  BOOST_TEST(process.wait() == 1);
  BOOST_TEST(contains(process.output(), "127.0.0.1:"), process.output());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
