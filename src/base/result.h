// Errors are values. An Error says what went wrong, whose fault it is and whether asking again may help;
// which status a client sees is decided in one place (proxy/error_response), never here.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace seawall {

enum class ErrorCode : std::uint8_t {
  // Message syntax and framing (RFC 9110, RFC 9112).
  kMalformedStartLine,
  kUnsupportedVersion,
  kMalformedHeader,
  kMalformedTarget,
  kBadHost,                    // missing, double or malformed
  kBadContentLength,           // malformed, differing or repeated
  kBadTransferEncoding,        // anything but one final `chunked`; together with Content-Length; in HTTP/1.0
  kUnsupportedTransferCoding,  // a well-formed coding that is not `chunked`: 501
  kMalformedChunk,
  kMalformedTrailer,
  kTargetTooLong,
  kHeadersTooLarge,  // bytes or count
  kBodyTooLarge,
  kUnsupportedMethod,
  kUnsupportedExpectation,
  kUnsupportedProtocol,  // of an extended CONNECT: 501
  kMisdirected,          // a Host that the certificate shown does not cover: 421
  kBadHttp2,             // a request that HTTP/2 framed well and HTTP does not allow
  kPlainOnTls,           // HTTP where TLS was expected
  // Connection and exchange.
  kResolveFailed,
  kDnsTimeout,
  kConnectRefused,
  kConnectFailed,
  kConnectTimeout,
  // TLS. With the origin: why its server is not believed, or does not believe us.
  kTlsFailed,  // the handshake, for a reason without a name of its own
  kTlsTimeout,
  kTlsVersion,               // no common version or cipher
  kTlsCertificateExpired,    // or not yet valid
  kTlsCertificateUntrusted,  // nobody trusted has signed it
  kTlsCertificateName,       // it is another host's
  kTlsClientCertificate,     // the peer wants one of us, or refuses ours
  kHttp2Failed,              // the origin broke HTTP/2, or cannot speak it
  kFirstByteTimeout,
  kBetweenBytesTimeout,
  kTotalTimeout,
  kWaitTimeout,  // a collapsed request waited past its deadline
  kSendTimeout,
  kHeaderTimeout,
  kBodyTimeout,
  kPeerClosed,  // closed before the message was complete
  kPeerReset,
  kIncompleteBody,    // the body ended before its announced length
  kUnsolicitedData,   // bytes from the origin that answer no request
  kUnexpectedStatus,  // a 206, 304 or 101 that nothing in the request asked for
  kStreamTimeout,     // all HTTP/2 streams that the origin's server allows were taken for too long
  kQueueTimeout,      // waited too long for a place at the origin
  kQueueFull,         // at the origin, or in the fill queue
  kBreakerOpen,
  kBackingOff,  // the origin asked for silence, by 429 and Retry-After
  kNoServer,    // none of the origin's servers can be used
  kNotFilled,   // answered without asking the origin; it is being fetched, or will be
  kTooManyWaiters,
  kTooManyConnections,
  kNoDescriptors,  // the limit of open files is reached, or the kernel has no memory for a socket
  kNoLocalPort,    // all that there are towards a server are taken, or there is no address to reach it from
  kOutOfMemoryBudget,
  kShuttingDown,
  kAborted,  // our own side gave up: nobody wants it any more
  kNoRoute,
  kNotAllowed,
  kStoredBodyLost,  // a stored body that could not be read
  kNotCached,       // only-if-cached without a usable stored response
};

enum class Side : std::uint8_t { kClient, kOrigin, kLocal };
enum class Retry : std::uint8_t { kNo, kFreshConnection, kYes };

struct Error {
  ErrorCode code;
  Side side = Side::kLocal;
  Retry retry = Retry::kNo;

  friend bool operator==(const Error&, const Error&) = default;
};

// "first-byte-timeout": stable, lower case, for logs, metrics and Cache-Status details.
std::string_view to_string(ErrorCode code);

template <typename T>
using Result = std::expected<T, Error>;

}  // namespace seawall
