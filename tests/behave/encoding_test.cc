// Encodings for clients on the real binary: what curl and the libraries decode, made once, and the tags that go with
// it.
#include <boost/test/unit_test.hpp>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/programs.h"
#include "support/behave/seawall.h"
#include "support/behave/wait.h"
#include "support/decode.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_encoding)

std::string text() {
  std::string lines;
  for (int i = 0; i < 2000; ++i) lines += "line " + std::to_string(i) + "\n";
  return lines;
}

Reply page(Lines more = {}) {
  Lines headers = {"Cache-Control: max-age=600", "Content-Type: text/plain", "ETag: \"1\""};
  headers.insert(headers.end(), more.begin(), more.end());
  return {.headers = std::move(headers), .body = text()};
}

SeawallOptions encoding() {
  return {.admin = true, .route = "encode = [\"zstd\", \"br\", \"gzip\"]"};
}

Lines accept(const std::string& value) {
  return {"Accept-Encoding: " + value};
}

// The answer once the form is made.
Response encoded(const Seawall& seawall, const std::string& path, const std::string& coding) {
  Response response;
  until([&] {
    response = get(seawall, path, accept(coding));
    return response.has("Content-Encoding");
  });
  return response;
}

BOOST_AUTO_TEST_CASE(each_coding_is_made_once_and_decodes) {
  Origin origin;
  origin.on("/a", [](Exchange& x) { x.respond(page()); });
  Seawall seawall(origin, encoding());
  const Admin admin(seawall);
  const Response first = get(seawall, "/a", accept("gzip"));
  BOOST_TEST(!first.has("Content-Encoding"), first);
  BOOST_TEST(first.get("Vary") == "Accept-Encoding", first);
  for (const std::string coding : {"gzip", "br", "zstd"}) {
    const Response response = encoded(seawall, "/a", coding);
    BOOST_TEST(response.get("Content-Encoding") == coding, response);
    BOOST_TEST(response.get("ETag") == "W/\"1~" + coding + "\"", response);
    BOOST_TEST(response.get("Vary") == "Accept-Encoding", response);
    BOOST_TEST((test::decode(coding, response.body) == text()), coding);
    BOOST_TEST(get(seawall, "/a", accept(coding)).body == response.body);
    BOOST_TEST(admin.metric("seawall_encode_forms_total{coding=\"" + coding + "\"}") == 1);
  }
  BOOST_TEST(get(seawall, "/a", accept("gzip, deflate, br")).get("Content-Encoding") == "br");
  BOOST_TEST(get(seawall, "/a", accept("gzip;q=1, *;q=0.5")).get("Content-Encoding") == "gzip");
  BOOST_TEST(get(seawall, "/a", accept("identity;q=0, br")).get("Content-Encoding") == "br");
  for (const Lines& lines : {Lines{}, accept("identity"), accept("gzip;q=0"), accept("identity, gzip;q=0.5")}) {
    const Response plain = get(seawall, "/a", lines);
    BOOST_TEST(plain.body == text());
    BOOST_TEST(plain.get("Vary") == "Accept-Encoding", plain);
  }
  BOOST_TEST(origin.count("/a") == 1U);
}

BOOST_AUTO_TEST_CASE(curl_reads_it_over_http2_too, *boost::unit_test::precondition(Needs{{"curl"}})) {
  Origin origin;
  origin.on("/a", [](Exchange& x) { x.respond(page()); });
  Seawall seawall(origin, encoding());
  get(seawall, "/a");
  // What the route likes best of all that curl can read.
  encoded(seawall, "/a", "zstd");
  for (const char* version : {"--http1.1", "--http2-prior-knowledge"}) {
    const CurlResponse response =
        curl({version, "--compressed", "-H", "Host: a.test", "http://" + seawall.address() + "/a"});
    BOOST_TEST(response.code == 0, response.errors);
    BOOST_TEST(response.get("content-encoding") == "zstd");
    BOOST_TEST(response.body == text());
  }
}

BOOST_AUTO_TEST_CASE(conditions_and_ranges) {
  Origin origin;
  origin.on("/a", [](Exchange& x) { x.respond(page()); });
  Seawall seawall(origin, encoding());
  get(seawall, "/a");
  encoded(seawall, "/a", "gzip");
  for (const std::string etag : {"W/\"1~gzip\"", "\"1\""}) {
    const Response response = get(seawall, "/a", {"Accept-Encoding: gzip", "If-None-Match: " + etag});
    BOOST_TEST(response.status == 304, response);
    BOOST_TEST(response.get("ETag") == etag, response);
    BOOST_TEST(response.get("Vary") == "Accept-Encoding", response);
  }
  const Response part = get(seawall, "/a", {"Accept-Encoding: gzip", "Range: bytes=0-6"});
  BOOST_TEST(part.status == 206);
  BOOST_TEST(part.body == text().substr(0, 7));
  BOOST_TEST(part.get("ETag") == "\"1\"", part);
  BOOST_TEST(get(seawall, "/a", {"Accept-Encoding: gzip", "Cache-Control: no-transform"}).body == text());
  BOOST_TEST(origin.count("/a") == 1U);
}

BOOST_AUTO_TEST_CASE(the_origin_sees_its_own_tags_and_the_client_the_tag_it_named) {
  Origin origin;
  origin.on("/put", [](Exchange& x) { x.respond({.body = x.request().headers.get("If-Match")}); });
  origin.on("/private", [](Exchange& x) {
    const bool knows = x.request().headers.get("If-None-Match") == "W/\"1~gzip\", \"1\"";
    x.respond({.status = knows ? 304 : 200, .headers = {"Cache-Control: no-store", "ETag: \"1\""}});
  });
  Seawall seawall(origin, encoding());
  BOOST_TEST(fetch(seawall, "PUT", "/put", {"If-Match: W/\"1~gzip\""}, "x").body == "W/\"1~gzip\", \"1\"");
  const Response response =
      get(seawall, "/private", {"Accept-Encoding: gzip", "Cache-Control: no-store", "If-None-Match: W/\"1~gzip\""});
  BOOST_TEST(response.status == 304, response);
  BOOST_TEST(response.get("ETag") == "W/\"1~gzip\"", response);
}

// One tag for two makings of a form: nothing of one may be added to the other.
BOOST_AUTO_TEST_CASE(a_form_made_anew_is_not_joined_to_parts_of_the_old_one) {
  Origin origin;
  origin.on("/a", [](Exchange& x) { x.respond(page()); });
  Response forms[2];
  for (const int level : {1, 9}) {
    Seawall seawall("[encode]\ngzip = " + std::to_string(level) + "\n[[origin]]\nservers = [\"http://" +
                    origin.authority() + "\"]\n[[route]]\nencode = [\"gzip\"]\n");
    get(seawall, "/a");
    Response& form = forms[level / 9];
    form = encoded(seawall, "/a", "gzip");
    BOOST_TEST(form.get("ETag") == "W/\"1~gzip\"", form);
    for (const char* etag : {"\"1~gzip\"", "W/\"1~gzip\""}) {
      const Response rest =
          get(seawall, "/a", {"Accept-Encoding: gzip", "Range: bytes=1000-", std::string("If-Range: ") + etag});
      BOOST_TEST(rest.status == 200);
      BOOST_TEST((rest.body == form.body));
    }
  }
  BOOST_TEST((forms[0].body != forms[1].body));
}

// Too large for memory, so that its body is on disk only.
BOOST_AUTO_TEST_CASE(what_is_on_disk_only_keeps_its_vary_and_knows_its_forms) {
  Origin origin;
  std::string body;
  while (body.size() < 2 << 20) body += text();
  origin.on("/l", [&](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=600", "Content-Type: text/plain", "ETag: \"l\""}, .body = body});
  });
  const TemporaryDirectory directory;
  const SeawallOptions options{
      .cache = "memory = \"8MiB\"\ndisk = { path = \"" + directory.path() + "/disk\", size = \"64MiB\" }",
      .route = "encode = [\"gzip\"]"};
  for (int starts = 0; starts < 2; ++starts) {
    Seawall seawall(origin, options);
    BOOST_TEST(seawall.process().says("objects found"));  // until then it takes no large ones
    const Response first = get(seawall, "/l", accept("gzip"));
    BOOST_TEST(first.get("Vary") == "Accept-Encoding");
    BOOST_REQUIRE(
        until([&] { return get(seawall, "/l", {"Cache-Control: only-if-cached", "Range: bytes=0-0"}).status == 206; }));
    const Response hit = get(seawall, "/l", accept("gzip"));
    BOOST_TEST((hit.body == body));
    BOOST_TEST(hit.is_hit());
    BOOST_TEST(hit.get("Vary") == "Accept-Encoding");
    BOOST_TEST(fetch(seawall, "HEAD", "/l", accept("gzip")).get("Vary") == "Accept-Encoding");
    const Response known = get(seawall, "/l", {"Accept-Encoding: gzip", "If-None-Match: W/\"l~gzip\""});
    BOOST_TEST(known.status == 304);
    BOOST_TEST(known.get("Vary") == "Accept-Encoding");
    BOOST_TEST(get(seawall, "/l", {"Accept-Encoding: gzip", "If-Match: W/\"l~gzip\""}).status == 200);
    BOOST_TEST(get(seawall, "/l", {"Accept-Encoding: gzip", "If-Match: W/\"m~gzip\""}).status == 412);
  }
  BOOST_TEST(origin.count("/l") == 1U);
}

BOOST_AUTO_TEST_CASE(an_origin_that_encodes_is_asked_once_for_all_who_accept_the_same) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=600", "Content-Type: text/plain", "Vary: Accept-Encoding"},
               .body = x.request().headers.get("Accept-Encoding")});
  });
  Seawall seawall(origin, encoding());
  for (const char* accepted : {"gzip, deflate, br", "br, gzip;q=0.1", "br,gzip,compress"}) {
    BOOST_TEST(get(seawall, "/a", accept(accepted)).body == "gzip, br");
  }
  BOOST_TEST(origin.count("/a") == 1U);
  BOOST_TEST(get(seawall, "/a", accept("gzip, deflate, br, zstd")).body == "gzip, br, zstd");
  BOOST_TEST(get(seawall, "/a", accept("gzip, *;q=0")).body == "gzip, identity;q=0");
  BOOST_TEST(get(seawall, "/a", accept("deflate")).body == "identity");
  BOOST_TEST(get(seawall, "/a").body == "identity");
  BOOST_TEST(origin.count("/a") == 4U);
}

BOOST_AUTO_TEST_CASE(what_must_not_be_encoded_is_not) {
  Origin origin;
  origin.on("/no-transform", [](Exchange& x) { x.respond(page({"Cache-Control: no-transform"})); });
  origin.on("/encoded", [](Exchange& x) { x.respond(page({"Content-Encoding: gzip", "Vary: Accept-Encoding"})); });
  origin.on("/a", [](Exchange& x) { x.respond(page()); });
  Seawall seawall(origin, encoding());
  get(seawall, "/no-transform", accept("gzip"));
  get(seawall, "/encoded", accept("gzip"));
  get(seawall, "/no-transform", accept("gzip"));
  get(seawall, "/encoded", accept("gzip"));
  // Had they been asked for, they would have been made before this one.
  get(seawall, "/a", accept("gzip"));
  encoded(seawall, "/a", "gzip");
  const Response plain = get(seawall, "/no-transform", accept("gzip"));
  BOOST_TEST(!plain.has("Content-Encoding"), plain);
  BOOST_TEST(!plain.has("Vary"), plain);
  const Response own = get(seawall, "/encoded", accept("gzip"));
  BOOST_TEST(own.body == text());
  BOOST_TEST(own.get("ETag") == "\"1\"", own);
  BOOST_TEST(own.headers.count("Vary") == 1U, own);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
