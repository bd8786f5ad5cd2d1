// Conditional and range requests (RFC 9110 sections 13 and 14), answered from what is stored, arriving, or stored in
// part.
#include <boost/test/unit_test.hpp>

#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_ranges)

const std::string kBody = pattern(1000);
const std::string kTag = "\"v1\"";

Reply whole() {
  return {.headers = {"Cache-Control: max-age=60", "ETag: " + kTag, "Last-Modified: " + http_date(-5000),
                      "Content-Type: text/a"},
          .body = kBody};
}

std::string content_range(std::size_t first, std::size_t last) {
  return "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" + std::to_string(kBody.size());
}

// The part that was asked for, or the whole, as a good origin does.
void answer_ranges(Exchange& x) {
  const std::string range = x.request().headers.get("Range");
  const std::string condition = x.request().headers.get("If-Range");
  unsigned long first = 0;
  unsigned long last = kBody.size() - 1;
  if (range.empty() || (!condition.empty() && condition != kTag)) {
    x.respond(whole());
    return;
  }
  const std::size_t dash = range.find('-');
  if (range[6] == '-') {
    first = kBody.size() - std::stoul(range.substr(7));
  } else {
    first = std::stoul(range.substr(6));
    if (dash + 1 < range.size()) last = std::min(last, std::stoul(range.substr(dash + 1)));
  }
  x.respond({.status = 206,
             .headers = {"Cache-Control: max-age=60", "ETag: " + kTag, "Content-Range: " + content_range(first, last)},
             .body = kBody.substr(first, last - first + 1)});
}

struct Row {
  const char* range;
  std::size_t first = 0;
  std::size_t last = 0;
  int status = 206;
};

BOOST_AUTO_TEST_CASE(single_ranges_of_a_stored_response) {
  Origin origin;
  origin.script("/a", {reply(whole())});
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a").body == kBody);
  const Row rows[] = {
      {"bytes=0-0", 0, 0},      {"bytes=0-99", 0, 99},        {"bytes=500-", 500, 999},    {"bytes=-100", 900, 999},
      {"bytes=-5000", 0, 999},  {"bytes=990-5000", 990, 999}, {"bytes=999-999", 999, 999}, {"bytes= 0-9", 0, 9, 0},
      {"BYTES=0-9", 0, 9},      {"bytes=1000-", 0, 0, 416},   {"bytes=-0", 0, 0, 416},     {"bytes=5-4", 0, 0, 200},
      {"bytes=a-b", 0, 0, 200}, {"lines=0-1", 0, 0, 200},     {"bytes", 0, 0, 200},        {"bytes=", 0, 0, 200},
  };
  Client client(seawall);
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.range) {
      const Response response = client.get("/a", {std::string("Range: ") + row.range});
      BOOST_TEST(response.is_hit(), response);
      if (row.status == 0) continue;  // either is right
      BOOST_TEST(response.status == row.status, response);
      if (row.status == 206) {
        BOOST_TEST(response.body == kBody.substr(row.first, row.last - row.first + 1));
        BOOST_TEST(response.get("Content-Range") == content_range(row.first, row.last));
        BOOST_TEST(response.get("ETag") == kTag);
        BOOST_TEST(response.has("Date"));
      } else if (row.status == 416) {
        BOOST_TEST(response.get("Content-Range") == "bytes */1000");
      } else {
        BOOST_TEST(response.body == kBody);
      }
    }
  }
  const Response head = client.request("HEAD", "/a", {"Range: bytes=0-9"});
  BOOST_TEST(head.status == 200);
  BOOST_TEST(head.get("Content-Length") == "1000");
  BOOST_TEST(origin.unexpected() == 0U);
}

struct Part {
  std::string content_range;
  std::string body;
};

// The parts of a multipart/byteranges body, strictly; empty when it is not one.
std::vector<Part> parts_of(const Response& response) {
  const std::string type = response.get("Content-Type");
  static constexpr std::string_view kType = "multipart/byteranges; boundary=";
  if (!type.starts_with(kType)) return {};
  std::string boundary = type.substr(kType.size());
  if (boundary.size() >= 2 && boundary.front() == '"') boundary = boundary.substr(1, boundary.size() - 2);
  std::vector<Part> parts;
  const std::string mark = "--" + boundary;
  std::size_t at = response.body.find(mark);
  while (at != std::string::npos) {
    at += mark.size();
    if (response.body.compare(at, 2, "--") == 0) return parts;
    const std::size_t head_end = response.body.find("\r\n\r\n", at);
    const std::size_t next = response.body.find("\r\n" + mark, head_end);
    if (head_end == std::string::npos || next == std::string::npos) return {};
    Fields fields;
    for (std::size_t line = at + 2; line < head_end;) {
      const std::size_t end = response.body.find("\r\n", line);
      fields.parse_line(std::string_view(response.body).substr(line, end - line));
      line = end + 2;
    }
    parts.push_back({fields.get("Content-Range"), response.body.substr(head_end + 4, next - head_end - 4)});
    at = next + 2;
  }
  return {};
}

BOOST_AUTO_TEST_CASE(several_ranges_of_a_stored_response) {
  Origin origin;
  origin.script("/a", {reply(whole())});
  Seawall seawall(origin);
  get(seawall, "/a");
  const Response two = get(seawall, "/a", {"Range: bytes=0-9, 500-509, 5000-6000"});
  BOOST_TEST(two.status == 206, two);
  const std::vector<Part> parts = parts_of(two);
  BOOST_REQUIRE(parts.size() == 2U);
  BOOST_TEST(parts[0].content_range == content_range(0, 9));
  BOOST_TEST(parts[0].body == kBody.substr(0, 10));
  BOOST_TEST(parts[1].content_range == content_range(500, 509));
  BOOST_TEST(parts[1].body == kBody.substr(500, 10));
  BOOST_TEST(two.complete);
  BOOST_TEST(!two.has("Content-Range"));

  // What overlaps or touches is one range: no amplification.
  std::string many = "Range: bytes=0-";
  for (int i = 0; i < 1000; ++i) many += ",0-";
  const Response flood = get(seawall, "/a", {many});
  BOOST_TEST((flood.status == 200 || flood.status == 206), flood);
  BOOST_TEST(flood.body.size() <= kBody.size());
  const Response overlapping = get(seawall, "/a", {"Range: bytes=0-99,50-149,100-199"});
  BOOST_TEST(overlapping.status == 206);
  BOOST_TEST(overlapping.body.size() < 600U);

  const Response none = get(seawall, "/a", {"Range: bytes=1000-1001, 2000-"});
  BOOST_TEST(none.status == 416, none);
  BOOST_TEST(origin.unexpected() == 0U);
}

BOOST_AUTO_TEST_CASE(if_range_decides_between_part_and_whole) {
  Origin origin;
  const std::string modified = http_date(-5000);
  origin.script("/strong", {reply(whole())});
  origin.script("/weak", {reply({.headers = {"Cache-Control: max-age=60", "ETag: W/\"v1\""}, .body = kBody})});
  origin.script("/date",
                {reply({.headers = {"Cache-Control: max-age=60", "Last-Modified: " + modified}, .body = kBody})});
  Seawall seawall(origin);
  struct Condition {
    const char* path;
    std::string if_range;
    int status;
  };
  const Condition rows[] = {
      {"/strong", "\"v1\"", 206},       {"/strong", "\"v2\"", 200},       {"/strong", "W/\"v1\"", 200},
      {"/weak", "W/\"v1\"", 200},       {"/weak", "\"v1\"", 200},         {"/date", modified, 206},
      {"/date", http_date(-4000), 200}, {"/date", http_date(-6000), 200}, {"/strong", "garbage", 200},
  };
  for (const char* path : {"/strong", "/weak", "/date"}) get(seawall, path);
  for (const Condition& row : rows) {
    BOOST_TEST_CONTEXT(row.path << " If-Range " << row.if_range) {
      const Response response = get(seawall, row.path, {"Range: bytes=0-9", "If-Range: " + row.if_range});
      BOOST_TEST(response.status == row.status, response);
      BOOST_TEST(response.body.size() == (row.status == 206 ? 10U : kBody.size()));
    }
  }
  BOOST_TEST(origin.unexpected() == 0U);
}

BOOST_AUTO_TEST_CASE(preconditions_of_a_stored_response) {
  Origin origin;
  const std::string modified = http_date(-5000);
  origin.script("/a",
                {reply({.headers = {"Cache-Control: max-age=60", "ETag: " + kTag, "Last-Modified: " + modified, "X: y"},
                        .body = kBody})});
  Seawall seawall(origin);
  get(seawall, "/a");
  struct Condition {
    Lines lines;
    int status;
  };
  const Condition rows[] = {
      {{"If-None-Match: \"v1\""}, 304},
      {{"If-None-Match: W/\"v1\""}, 304},
      {{"If-None-Match: \"a\", \"v1\""}, 304},
      {{"If-None-Match: \"a\"", "If-None-Match: \"v1\""}, 304},
      {{"If-None-Match: *"}, 304},
      {{"If-None-Match: \"v2\""}, 200},
      {{"If-None-Match: v1"}, 200},
      {{"If-Modified-Since: " + modified}, 304},
      {{"If-Modified-Since: " + http_date(-4000)}, 304},
      {{"If-Modified-Since: " + http_date(-6000)}, 200},
      {{"If-Modified-Since: garbage"}, 200},
      {{"If-None-Match: \"v2\"", "If-Modified-Since: " + modified}, 200},
      {{"If-Match: \"v1\""}, 200},
      {{"If-Match: *"}, 200},
      {{"If-Match: W/\"v1\""}, 412},
      {{"If-Match: \"v2\""}, 412},
      {{"If-Unmodified-Since: " + modified}, 200},
      {{"If-Unmodified-Since: " + http_date(-6000)}, 412},
      {{"If-Match: \"v1\"", "If-Unmodified-Since: " + http_date(-6000)}, 200},
      {{"If-None-Match: \"v1\"", "Range: bytes=0-9"}, 304},
      {{"If-None-Match: \"v2\"", "Range: bytes=0-9"}, 206},
      {{"If-Match: \"v2\"", "Range: bytes=0-9"}, 412},
  };
  Client client(seawall);
  for (const char* method : {"GET", "HEAD"}) {
    for (const Condition& row : rows) {
      BOOST_TEST_CONTEXT(method << ' ' << row.lines.front()) {
        const Response response = client.request(method, "/a", row.lines);
        const bool is_head = std::string_view(method) == "HEAD";
        BOOST_TEST(response.status == (is_head && row.status == 206 ? 200 : row.status), response);
        if (response.status == 304) {
          BOOST_TEST(response.get("ETag") == kTag);
          BOOST_TEST(response.has("Date"));
          BOOST_TEST(response.get("Cache-Control") == "max-age=60");
          BOOST_TEST(response.body.empty());
        }
        BOOST_TEST(response.complete);
      }
    }
  }
  BOOST_TEST(origin.unexpected() == 0U);
}

// The origin holds the tail back: what has arrived can be had already.
BOOST_AUTO_TEST_CASE(ranges_of_a_body_that_is_still_arriving) {
  Origin origin;
  Gate gate;
  origin.script("/a", {[&](Exchange& x) {
                  Reply head = whole();
                  x.send(to_bytes({.headers =
                                       [&] {
                                         Lines lines = head.headers;
                                         lines.push_back("Content-Length: 1000");
                                         return lines;
                                       }()},
                                  true));
                  x.send(std::string_view(kBody).substr(0, 500));
                  x.hold(gate);
                  x.send(std::string_view(kBody).substr(500));
                }});
  Seawall seawall(origin);
  Client first(seawall);
  first.send_request("GET", "/a");
  BOOST_TEST(first.read_body(500).body == kBody.substr(0, 500));
  const Response part = get(seawall, "/a", {"Range: bytes=100-199"});
  BOOST_TEST(part.status == 206, part);
  BOOST_TEST(part.body == kBody.substr(100, 100));
  Client last(seawall);
  last.send_request("GET", "/a", {"Range: bytes=400-599"});
  BOOST_TEST(last.read_body(100).body == kBody.substr(400, 100));
  gate.open();
  BOOST_TEST(last.read_rest().body == kBody.substr(400, 200));
  BOOST_TEST(first.read_rest().body == kBody);
  BOOST_TEST(get(seawall, "/a").is_hit());
  BOOST_TEST(origin.unexpected() == 0U);
}

BOOST_AUTO_TEST_CASE(a_stored_part_answers_what_it_covers) {
  Origin origin;
  origin.on("/a", answer_ranges);
  Seawall seawall(origin);
  const Response part = get(seawall, "/a", {"Range: bytes=100-299"});
  BOOST_TEST(part.status == 206, part);
  BOOST_TEST(part.body == kBody.substr(100, 200));
  BOOST_TEST(part.get("Content-Range") == content_range(100, 299));
  BOOST_TEST(origin.count("/a") == 1U);
  for (const Row& row : {Row{"bytes=100-299", 100, 299}, Row{"bytes=150-159", 150, 159}}) {
    BOOST_TEST_CONTEXT(row.range) {
      const Response hit = get(seawall, "/a", {std::string("Range: ") + row.range});
      BOOST_TEST(hit.status == 206);
      BOOST_TEST(hit.is_hit(), hit);
      BOOST_TEST(hit.body == kBody.substr(row.first, row.last - row.first + 1));
      BOOST_TEST(hit.get("Content-Range") == content_range(row.first, row.last));
    }
  }
  BOOST_TEST(origin.count("/a") == 1U);
}

BOOST_AUTO_TEST_CASE(stored_parts_are_combined_and_completed) {
  Origin origin;
  origin.on("/a", answer_ranges);
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a", {"Range: bytes=0-499"}).body == kBody.substr(0, 500));
  const Response rest = get(seawall, "/a");
  BOOST_TEST(rest.status == 200, rest);
  BOOST_TEST(rest.body == kBody);
  BOOST_TEST(rest.complete);
  const SeenRequest completing = origin.seen("/a", 2);
  BOOST_TEST(completing.headers.get("Range") == "bytes=500-");
  BOOST_TEST(completing.headers.get("If-Range") == kTag);
  const Response hit = get(seawall, "/a");
  BOOST_TEST(hit.is_hit(), hit);
  BOOST_TEST(hit.body == kBody);
  BOOST_TEST(get(seawall, "/a", {"Range: bytes=490-509"}).body == kBody.substr(490, 20));
  BOOST_TEST(origin.count("/a") == 2U);
}

BOOST_AUTO_TEST_CASE(a_part_of_another_version_is_not_completed) {
  Origin origin;
  origin.script("/a", {
                          answer_ranges,
                          reply({.headers = {"Cache-Control: max-age=60", "ETag: \"v2\""}, .body = "the new one"}),
                      });
  Seawall seawall(origin);
  get(seawall, "/a", {"Range: bytes=0-499"});
  BOOST_TEST(get(seawall, "/a").body == "the new one");
  BOOST_TEST(get(seawall, "/a").body == "the new one");
  BOOST_TEST(origin.unexpected() == 0U);
}

BOOST_AUTO_TEST_CASE(a_part_that_lies_is_not_combined) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    switch (x.number()) {
      case 1: answer_ranges(x); break;
      // Neither the version nor the bytes that were asked for.
      case 2:
        x.respond({.status = 206,
                   .headers = {"Cache-Control: max-age=60", "ETag: \"v2\"", "Content-Range: bytes 500-999/1000"},
                   .body = std::string(500, '!')});
        break;
      default: x.respond(whole());
    }
  });
  Seawall seawall(origin);
  get(seawall, "/a", {"Range: bytes=0-499"});
  const Response response = get(seawall, "/a");
  BOOST_TEST((response.body == kBody || response.status == 502 || response.is_cut()), response);
  const Response next = get(seawall, "/a");
  BOOST_TEST(next.body == kBody, next);
}

BOOST_AUTO_TEST_CASE(parts_without_a_strong_tag_are_not_combined) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    const bool part = x.request().headers.has("Range");
    Reply answer = {.headers = {"Cache-Control: max-age=60", "ETag: W/\"v1\""},
                    .body = part ? kBody.substr(0, 500) : kBody};
    if (part) {
      answer.status = 206;
      answer.headers.push_back("Content-Range: " + content_range(0, 499));
    }
    x.respond(answer);
  });
  Seawall seawall(origin);
  get(seawall, "/a", {"Range: bytes=0-499"});
  const Response response = get(seawall, "/a");
  BOOST_TEST(response.status == 200);
  BOOST_TEST(response.body == kBody);
  BOOST_TEST(!origin.seen("/a").headers.has("Range"));
}

BOOST_AUTO_TEST_CASE(a_range_of_something_unknown_is_answered) {
  Origin origin;
  origin.on("/ranges", answer_ranges);
  origin.on("/whole", whole());
  origin.on("/no-store", [](Exchange& x) {
    x.respond({.status = 206,
               .headers = {"Cache-Control: no-store", "Content-Range: " + content_range(0, 9)},
               .body = kBody.substr(0, 10)});
  });
  origin.on("/416", Reply{.status = 416, .headers = {"Content-Range: bytes */1000"}});
  Seawall seawall(origin);
  for (const char* path : {"/ranges", "/whole"}) {
    BOOST_TEST_CONTEXT(path) {
      const Response response = get(seawall, path, {"Range: bytes=0-9"});
      BOOST_TEST((response.status == 206 || response.status == 200), response);
      BOOST_TEST(response.body == (response.status == 206 ? kBody.substr(0, 10) : kBody));
      BOOST_TEST(get(seawall, path).body == kBody);
    }
  }
  BOOST_TEST(get(seawall, "/no-store", {"Range: bytes=0-9"}).body == kBody.substr(0, 10));
  BOOST_TEST(get(seawall, "/416", {"Range: bytes=5000-"}).status == 416);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
