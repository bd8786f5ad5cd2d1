// Every error has a status, a reason for the operator and words for the client.
#include "proxy/error_response.h"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>
#include <vector>

#include "http/message.h"

namespace seawall::proxy {
namespace {

struct Row {
  ErrorCode code;
  Side side;
  std::uint16_t status;
  bool retry_after = false;
};

BOOST_AUTO_TEST_SUITE(proxy_error_response)

BOOST_AUTO_TEST_CASE(statuses) {
  const std::vector<Row> rows = {
      {ErrorCode::kMalformedStartLine, Side::kClient, 400},
      {ErrorCode::kBadHost, Side::kClient, 400},
      {ErrorCode::kBadContentLength, Side::kClient, 400},
      {ErrorCode::kPeerClosed, Side::kClient, 400},
      {ErrorCode::kUnsupportedMethod, Side::kClient, 405},
      {ErrorCode::kHeaderTimeout, Side::kClient, 408},
      {ErrorCode::kBodyTimeout, Side::kClient, 408},
      {ErrorCode::kBodyTooLarge, Side::kClient, 413},
      {ErrorCode::kTargetTooLong, Side::kClient, 414},
      {ErrorCode::kUnsupportedExpectation, Side::kClient, 417},
      {ErrorCode::kHeadersTooLarge, Side::kClient, 431},
      {ErrorCode::kUnsupportedTransferCoding, Side::kClient, 501},
      {ErrorCode::kUnsupportedVersion, Side::kClient, 505},
      {ErrorCode::kConnectRefused, Side::kOrigin, 502},
      {ErrorCode::kHeadersTooLarge, Side::kOrigin, 502},
      {ErrorCode::kIncompleteBody, Side::kOrigin, 502},
      {ErrorCode::kUnexpectedStatus, Side::kOrigin, 502},
      {ErrorCode::kConnectTimeout, Side::kOrigin, 504},
      {ErrorCode::kFirstByteTimeout, Side::kOrigin, 504},
      {ErrorCode::kStreamTimeout, Side::kOrigin, 503, true},
      {ErrorCode::kBetweenBytesTimeout, Side::kOrigin, 504},
      {ErrorCode::kTotalTimeout, Side::kOrigin, 504},
      {ErrorCode::kNoRoute, Side::kLocal, 404},
      {ErrorCode::kNotCached, Side::kLocal, 504},
      {ErrorCode::kTooManyWaiters, Side::kLocal, 503, true},
      {ErrorCode::kTooManyConnections, Side::kLocal, 503, true},
      {ErrorCode::kNoDescriptors, Side::kLocal, 503, true},
      {ErrorCode::kNoLocalPort, Side::kLocal, 503, true},
      {ErrorCode::kWaitTimeout, Side::kLocal, 503, true},
      {ErrorCode::kOutOfMemoryBudget, Side::kLocal, 503, true},
      {ErrorCode::kShuttingDown, Side::kLocal, 503, true},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(to_string(row.code) << " of side " << static_cast<int>(row.side)) {
      const ErrorAnswer answer = answer_for({row.code, row.side});
      BOOST_TEST(answer.status == row.status);
      BOOST_TEST(answer.retry_after == row.retry_after);
    }
  }
}

BOOST_AUTO_TEST_CASE(each_code_has_its_words_and_a_registered_status) {
  std::set<std::string> texts;
  int codes = 0;
  for (int i = 0; i <= static_cast<int>(ErrorCode::kNotCached); ++i, ++codes) {
    const auto code = static_cast<ErrorCode>(i);
    BOOST_TEST_CONTEXT(to_string(code)) {
      const std::string text = error_text(400, {code, Side::kClient});
      BOOST_TEST(text.starts_with("400 Bad Request\n"));
      BOOST_TEST(text.ends_with(" (" + std::string(to_string(code)) + ")\n"));
      BOOST_TEST(text.find("\n (") == std::string::npos, "no words");
      texts.insert(text);
      BOOST_TEST(!proxy_error_type({code, Side::kOrigin}).empty());
      for (const Side side : {Side::kClient, Side::kOrigin, Side::kLocal}) {
        const std::uint16_t status = answer_for({code, side}).status;
        BOOST_TEST(status >= 400);
        BOOST_TEST(!http::reason_phrase(status).empty());
      }
    }
  }
  BOOST_TEST(texts.size() == static_cast<std::size_t>(codes));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::proxy
