#include <boost/test/unit_test.hpp>

#include "unit/http/feed.h"
#include "unit/http/vectors.h"

namespace seawall::http {
namespace {

BodyDecoder chunked(Side side = Side::kClient) {
  return {BodyFraming::kChunked, 0, side};
}

FedBody whole(std::string_view bytes) {
  return feed_body(chunked(), bytes, bytes.size(), 0);
}

BOOST_AUTO_TEST_SUITE(body_decoder)

BOOST_AUTO_TEST_CASE(vectors_get_their_verdict) {
  for (const Vector& v : chunked_vectors()) {
    BOOST_TEST_CONTEXT(v.name) {
      const FedBody fed = whole(v.bytes);
      if (v.error) {
        BOOST_REQUIRE(fed.error);
        BOOST_TEST(describe(*fed.error) == describe(Error{*v.error, Side::kClient}));
      } else {
        BOOST_TEST(!fed.error);
        BOOST_TEST(fed.done);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(cutting_does_not_change_the_outcome) {
  for (const Vector& v : chunked_vectors()) {
    BOOST_TEST_CONTEXT(v.name) {
      const std::string want = whole(v.bytes).text();
      BOOST_TEST(feed_body(chunked(), v.bytes, 1, v.bytes.size() > 2000 ? 7 : 1).text() == want);
      for (std::size_t cut = 1; cut < v.bytes.size(); ++cut) {
        const std::string text = feed_body(chunked(), v.bytes, cut, 0).text();
        if (text != want) BOOST_ERROR("cut at " << cut << ": " << text << " instead of " << want);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(every_prefix_is_incomplete) {
  const std::string body = "5;a=b\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 1\r\n\r\n";
  for (std::size_t size = 0; size < body.size(); ++size) {
    BodyDecoder decoder = chunked(Side::kOrigin);
    std::size_t used = 0;
    while (true) {
      const auto piece = decoder.decode(std::string_view(body).substr(used, size - used));
      BOOST_REQUIRE(piece);
      BOOST_REQUIRE(!piece->done);
      used += piece->consumed;
      if (piece->consumed == 0) break;
    }
    BOOST_TEST(used == size);
    BOOST_TEST(!decoder.is_done());
    const auto eof = decoder.on_eof();
    BOOST_REQUIRE(!eof);
    BOOST_TEST(describe(eof.error()) == describe(Error{ErrorCode::kIncompleteBody, Side::kOrigin}));
  }
}

BOOST_AUTO_TEST_CASE(payload_is_what_was_framed) {
  struct Row {
    const char* name;
    std::string bytes;
    std::string want;
  };
  const Row rows[] = {
      {"extensions are dropped", "5;a=\"x\"\r\nhello\r\n1\r\n!\r\n0;b\r\n\r\n", "done 29 [hello!] "},
      {"stops at the end", "1\r\na\r\n0\r\n\r\nrest", "done 11 [a] "},
      {"data that looks like framing", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "done 15 [0\r\n\r\n] "},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(whole(row.bytes).text() == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(trailers_that_matter_are_dropped) {
  for (const char* name : {"Transfer-Encoding",
                           "Content-Length",
                           "content-type",
                           "Content-Digest",
                           "Host",
                           "Connection",
                           "Authorization",
                           "Set-Cookie",
                           "Cache-Control",
                           "CDN-Cache-Control",
                           "Acme-Cache-Control",
                           "Age",
                           "Expires",
                           "Vary",
                           "Date",
                           "ETag",
                           "Last-Modified",
                           "Location",
                           "TE",
                           "Trailer",
                           "Upgrade",
                           "Via",
                           "Forwarded",
                           "X-Forwarded-For",
                           "X-Forwarded-Port",
                           "x_forwarded_for",
                           "X-Forwarded",
                           "Client-Cert",
                           "Client-Cert-Chain",
                           "X-Client-Cert",
                           "X-SSL-Client-Verify",
                           "X_SSL_Client_Verify",
                           "Proxy-Foo",
                           "WWW-Authenticate",
                           "If-Match",
                           "Range",
                           "Expect",
                           "Max-Forwards",
                           "Surrogate-Key",
                           "Cache-Groups",
                           "Cache-Group-Invalidation"}) {
    BOOST_TEST_CONTEXT(name) {
      const std::string body = "0\r\nX-A: 1\r\n" + std::string(name) + ": 1\r\nServer-Timing: 2\r\n\r\n";
      BOOST_TEST(whole(body).trailers == "X-A=[1]~ Server-Timing=[2]~ ");
    }
  }
}

BOOST_AUTO_TEST_CASE(dropped_trailers_count_too) {
  std::string body = "0\r\n";
  for (int i = 0; i < 65; ++i) body += "Host: a\r\n";
  BOOST_TEST(whole(body + "\r\n").error.has_value());
}

BOOST_AUTO_TEST_CASE(length) {
  const auto decoder = [] { return BodyDecoder(BodyFraming::kLength, 5, Side::kClient); };
  for (std::size_t cut = 0; cut <= 8; ++cut) {
    BOOST_TEST(feed_body(decoder(), "hellorest", cut, 0).text() == "done 5 [hello] ");
  }
  BodyDecoder d = decoder();
  BOOST_TEST(!d.is_done());
  BOOST_REQUIRE(d.decode("hell"));
  BOOST_TEST(!d.is_done());
  BOOST_TEST((d.on_eof().error().code == ErrorCode::kIncompleteBody));
  const auto last = d.decode("o!");
  BOOST_REQUIRE(last);
  BOOST_TEST(last->consumed == 1U);
  BOOST_TEST(last->done);
  BOOST_TEST(d.is_done());
  BOOST_TEST(d.on_eof().has_value());
  BOOST_TEST(d.decode("more")->consumed == 0U);
}

BOOST_AUTO_TEST_CASE(no_body) {
  for (BodyDecoder d : {BodyDecoder(), BodyDecoder(BodyFraming::kLength, 0, Side::kClient)}) {
    BOOST_TEST(d.is_done());
    const auto piece = d.decode("GET /");
    BOOST_REQUIRE(piece);
    BOOST_TEST(piece->consumed == 0U);
    BOOST_TEST(piece->done);
    BOOST_TEST(d.on_eof().has_value());
  }
}

BOOST_AUTO_TEST_CASE(until_close) {
  BodyDecoder d(BodyFraming::kUntilClose, 0, Side::kOrigin);
  const auto piece = d.decode("abc");
  BOOST_REQUIRE(piece);
  BOOST_TEST(piece->payload == "abc");
  BOOST_TEST(!piece->done);
  BOOST_TEST(!d.is_done());
  BOOST_TEST(d.on_eof().has_value());
  BOOST_TEST(d.is_done());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
