#include "proxy/error_response.h"

#include "http/message.h"

namespace seawall::proxy {
namespace {

std::string_view explanation(const Error& error) {
  switch (error.code) {
    case ErrorCode::kMalformedStartLine: return "the first line is not valid HTTP/1.1";
    case ErrorCode::kUnsupportedVersion: return "only HTTP/1.0 and HTTP/1.1 are spoken here";
    case ErrorCode::kMalformedHeader: return "a header line is not valid";
    case ErrorCode::kMalformedTarget: return "the request target is not valid";
    case ErrorCode::kBadHost: return "exactly one valid Host field is needed";
    case ErrorCode::kBadContentLength: return "Content-Length is not valid or not unique";
    case ErrorCode::kBadTransferEncoding: return "Transfer-Encoding must be one final chunked, without Content-Length";
    case ErrorCode::kUnsupportedTransferCoding: return "this transfer coding is not implemented";
    case ErrorCode::kMalformedChunk: return "the chunked body is not valid";
    case ErrorCode::kMalformedTrailer: return "the trailer section is not valid";
    case ErrorCode::kTargetTooLong: return "the request target is too long";
    case ErrorCode::kHeadersTooLarge: return "the header section is too large or has too many fields";
    case ErrorCode::kBodyTooLarge: return "the request body is larger than this server takes";
    case ErrorCode::kUnsupportedMethod: return "this method is not served here";
    case ErrorCode::kUnsupportedExpectation: return "only the expectation 100-continue is known";
    case ErrorCode::kUnsupportedProtocol: return "of extended CONNECT only websocket is served here";
    case ErrorCode::kMisdirected: return "this connection is not for this host or scheme: open another one for it";
    case ErrorCode::kBadHttp2: return "the request's fields are not valid";
    case ErrorCode::kPlainOnTls: return "this port speaks TLS: use https://";
    case ErrorCode::kResolveFailed: return "the origin's name could not be resolved";
    case ErrorCode::kDnsTimeout: return "the name server did not answer in time";
    case ErrorCode::kConnectRefused: return "the origin refused the connection";
    case ErrorCode::kConnectFailed: return "no connection to the origin could be made";
    case ErrorCode::kConnectTimeout: return "the origin did not accept a connection in time";
    case ErrorCode::kTlsFailed: return "the TLS handshake with the origin failed";
    case ErrorCode::kTlsTimeout: return "the TLS handshake with the origin took too long";
    case ErrorCode::kTlsVersion: return "the origin and this cache have no TLS version or cipher in common";
    case ErrorCode::kTlsCertificateExpired: return "the origin's certificate is expired or not yet valid";
    case ErrorCode::kTlsCertificateUntrusted: return "nobody trusted has signed the origin's certificate; see tls.ca";
    case ErrorCode::kTlsCertificateName: return "the origin's certificate is for another host; see tls.server_name";
    case ErrorCode::kTlsClientCertificate: return "the origin wants another client certificate; see tls.certificate";
    case ErrorCode::kHttp2Failed: return "the origin does not speak HTTP/2 as it should";
    case ErrorCode::kFirstByteTimeout: return "the origin did not begin to answer in time";
    case ErrorCode::kBetweenBytesTimeout: return "the origin stopped sending";
    case ErrorCode::kTotalTimeout: return "the origin did not answer in time";
    case ErrorCode::kWaitTimeout: return "the answer is being fetched for another request and takes too long";
    case ErrorCode::kSendTimeout: return "the other side does not take what is sent";
    case ErrorCode::kHeaderTimeout: return "the request head did not arrive in time";
    case ErrorCode::kBodyTimeout: return "the request body did not arrive in time";
    case ErrorCode::kPeerClosed: return "the connection was closed before the message was complete";
    case ErrorCode::kPeerReset: return "the connection was reset";
    case ErrorCode::kIncompleteBody: return "the body ended before its announced length";
    case ErrorCode::kUnsolicitedData: return "the origin sent what was not asked for";
    case ErrorCode::kUnexpectedStatus: return "the origin answered with a status that does not fit the request";
    case ErrorCode::kStreamTimeout:
      return "the origin is busy, and none of the HTTP/2 streams it allows came free in time";
    case ErrorCode::kQueueTimeout: return "the origin is busy, and no place came free in time";
    case ErrorCode::kQueueFull: return "the origin is busy, and the queue before it is full";
    case ErrorCode::kBreakerOpen: return "the origin has been failing and is given time to recover";
    case ErrorCode::kBackingOff: return "the origin asked for a pause";
    case ErrorCode::kNoServer: return "none of the origin's servers can be used";
    case ErrorCode::kNotFilled: return "not in the cache yet";
    case ErrorCode::kTooManyWaiters: return "too many requests are waiting for this answer";
    case ErrorCode::kTooManyConnections: return "too many connections";
    case ErrorCode::kNoDescriptors: return "too many open files to reach the origin at present";
    case ErrorCode::kNoLocalPort: return "no local port is free to reach the origin from at present";
    case ErrorCode::kOutOfMemoryBudget: return "no memory for this at present";
    case ErrorCode::kShuttingDown: return "the server is shutting down";
    case ErrorCode::kAborted: return "the request was given up";
    case ErrorCode::kNotAllowed: return "this client may not do that; see admin.purge_from";
    case ErrorCode::kNoRoute: return "no route of the configuration matches this host and path";
    case ErrorCode::kStoredBodyLost: return "the stored answer could not be read";
    case ErrorCode::kNotCached: return "only-if-cached: no usable stored response";
  }
  return "";
}

std::uint16_t client_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnsupportedVersion: return 505;
    case ErrorCode::kUnsupportedProtocol:
    case ErrorCode::kUnsupportedTransferCoding: return 501;
    case ErrorCode::kTargetTooLong: return 414;
    case ErrorCode::kHeadersTooLarge: return 431;
    case ErrorCode::kBodyTooLarge: return 413;
    case ErrorCode::kUnsupportedMethod: return 405;
    case ErrorCode::kUnsupportedExpectation: return 417;
    case ErrorCode::kHeaderTimeout:
    case ErrorCode::kBodyTimeout: return 408;
    default: return 400;
  }
}

}  // namespace

ErrorAnswer answer_for(const Error& error) {
  switch (error.side) {
    case Side::kClient: return {.status = client_status(error.code)};
    case Side::kOrigin:
      switch (error.code) {
        case ErrorCode::kConnectTimeout:
        case ErrorCode::kTlsTimeout:
        case ErrorCode::kFirstByteTimeout:
        case ErrorCode::kBetweenBytesTimeout:
        case ErrorCode::kTotalTimeout:
        case ErrorCode::kSendTimeout: return {.status = 504};
        case ErrorCode::kStreamTimeout: return {.status = 503, .retry_after = true};
        default: return {.status = 502};
      }
    case Side::kLocal:
      switch (error.code) {
        case ErrorCode::kNoRoute: return {.status = 404};
        case ErrorCode::kMisdirected: return {.status = 421};
        case ErrorCode::kNotAllowed: return {.status = 403};
        case ErrorCode::kNotCached: return {.status = 504};
        default: return {.status = 503, .retry_after = true};
      }
  }
  return {};
}

std::string_view proxy_error_type(const Error& error) {
  switch (error.code) {
    case ErrorCode::kResolveFailed: return "dns_error";
    case ErrorCode::kDnsTimeout: return "dns_timeout";
    case ErrorCode::kConnectRefused: return "connection_refused";
    case ErrorCode::kConnectFailed: return "destination_unavailable";
    case ErrorCode::kTlsTimeout:
    case ErrorCode::kConnectTimeout: return "connection_timeout";
    case ErrorCode::kTlsFailed:
    case ErrorCode::kTlsVersion: return "tls_protocol_error";
    case ErrorCode::kTlsCertificateExpired:
    case ErrorCode::kTlsCertificateUntrusted:
    case ErrorCode::kTlsCertificateName: return "tls_certificate_error";
    case ErrorCode::kTlsClientCertificate: return "tls_alert_received";
    case ErrorCode::kFirstByteTimeout:
    case ErrorCode::kTotalTimeout: return "http_response_timeout";
    case ErrorCode::kBetweenBytesTimeout: return "connection_read_timeout";
    case ErrorCode::kSendTimeout: return "connection_write_timeout";
    case ErrorCode::kStreamTimeout: return "connection_limit_reached";
    case ErrorCode::kPeerClosed:
    case ErrorCode::kPeerReset: return "connection_terminated";
    case ErrorCode::kIncompleteBody: return "http_response_incomplete";
    case ErrorCode::kHeadersTooLarge: return "http_response_header_section_size";
    case ErrorCode::kUnsupportedTransferCoding: return "http_response_transfer_coding";
    default: return "http_protocol_error";
  }
}

std::string error_text(std::uint16_t status, const Error& error) {
  std::string text = std::to_string(status);
  text += ' ';
  text += http::reason_phrase(status);
  text += '\n';
  text += explanation(error);
  text += " (";
  text += to_string(error.code);
  text += ")\n";
  return text;
}

}  // namespace seawall::proxy
