#include "base/result.h"

namespace seawall {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kMalformedStartLine: return "malformed-start-line";
    case ErrorCode::kUnsupportedVersion: return "unsupported-version";
    case ErrorCode::kMalformedHeader: return "malformed-header";
    case ErrorCode::kMalformedTarget: return "malformed-target";
    case ErrorCode::kBadHost: return "bad-host";
    case ErrorCode::kBadContentLength: return "bad-content-length";
    case ErrorCode::kBadTransferEncoding: return "bad-transfer-encoding";
    case ErrorCode::kUnsupportedTransferCoding: return "unsupported-transfer-coding";
    case ErrorCode::kMalformedChunk: return "malformed-chunk";
    case ErrorCode::kMalformedTrailer: return "malformed-trailer";
    case ErrorCode::kTargetTooLong: return "target-too-long";
    case ErrorCode::kHeadersTooLarge: return "headers-too-large";
    case ErrorCode::kBodyTooLarge: return "body-too-large";
    case ErrorCode::kUnsupportedMethod: return "unsupported-method";
    case ErrorCode::kUnsupportedExpectation: return "unsupported-expectation";
    case ErrorCode::kUnsupportedProtocol: return "unsupported-protocol";
    case ErrorCode::kMisdirected: return "misdirected";
    case ErrorCode::kBadHttp2: return "bad-http2-request";
    case ErrorCode::kPlainOnTls: return "plain-http-on-tls-port";
    case ErrorCode::kResolveFailed: return "resolve-failed";
    case ErrorCode::kDnsTimeout: return "dns-timeout";
    case ErrorCode::kConnectRefused: return "connect-refused";
    case ErrorCode::kConnectFailed: return "connect-failed";
    case ErrorCode::kConnectTimeout: return "connect-timeout";
    case ErrorCode::kTlsFailed: return "tls-handshake-failed";
    case ErrorCode::kTlsTimeout: return "tls-timeout";
    case ErrorCode::kTlsVersion: return "tls-version";
    case ErrorCode::kTlsCertificateExpired: return "tls-certificate-expired";
    case ErrorCode::kTlsCertificateUntrusted: return "tls-certificate-untrusted";
    case ErrorCode::kTlsCertificateName: return "tls-certificate-name";
    case ErrorCode::kTlsClientCertificate: return "tls-client-certificate";
    case ErrorCode::kHttp2Failed: return "http2-failed";
    case ErrorCode::kFirstByteTimeout: return "first-byte-timeout";
    case ErrorCode::kBetweenBytesTimeout: return "between-bytes-timeout";
    case ErrorCode::kTotalTimeout: return "total-timeout";
    case ErrorCode::kWaitTimeout: return "wait-timeout";
    case ErrorCode::kSendTimeout: return "send-timeout";
    case ErrorCode::kHeaderTimeout: return "header-timeout";
    case ErrorCode::kBodyTimeout: return "body-timeout";
    case ErrorCode::kPeerClosed: return "closed";
    case ErrorCode::kPeerReset: return "reset";
    case ErrorCode::kIncompleteBody: return "incomplete-body";
    case ErrorCode::kUnsolicitedData: return "unsolicited-data";
    case ErrorCode::kUnexpectedStatus: return "unexpected-status";
    case ErrorCode::kStreamTimeout: return "stream-timeout";
    case ErrorCode::kQueueTimeout: return "queue-timeout";
    case ErrorCode::kQueueFull: return "queue-full";
    case ErrorCode::kBreakerOpen: return "breaker-open";
    case ErrorCode::kBackingOff: return "backing-off";
    case ErrorCode::kNoServer: return "no-server";
    case ErrorCode::kNotFilled: return "not-filled";
    case ErrorCode::kTooManyWaiters: return "too-many-waiters";
    case ErrorCode::kTooManyConnections: return "too-many-connections";
    case ErrorCode::kNoDescriptors: return "no-descriptors";
    case ErrorCode::kNoLocalPort: return "no-local-port";
    case ErrorCode::kOutOfMemoryBudget: return "out-of-memory-budget";
    case ErrorCode::kShuttingDown: return "shutting-down";
    case ErrorCode::kAborted: return "aborted";
    case ErrorCode::kNotAllowed: return "not-allowed";
    case ErrorCode::kNoRoute: return "no-route";
    case ErrorCode::kStoredBodyLost: return "stored-body-lost";
    case ErrorCode::kNotCached: return "not-cached";
  }
  return "unknown";
}

}  // namespace seawall
