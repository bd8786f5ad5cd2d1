// What a transaction owes to the connection that its request came by: hosts that the certificate does not cover,
// redirects to https, ACME challenges, HSTS. Part of Transaction.
#include <string>

#include "http/uri.h"
#include "proxy/acme_challenge.h"
#include "proxy/transaction.h"

namespace seawall::proxy {

using http::Method;

// RFC 9110 section 15.5.20: a client may have coalesced hosts onto a connection that is not theirs.
bool Transaction::is_misdirected() {
  // Who comes without TLS must not get what is kept for those who come with it (RFC 9110 section 7.4).
  if (is_foreign_scheme_) return true;
  if (!client_.tls || !client_.tls->certificate || request_.authority.empty()) return false;
  if (request_.authority == covered_authority_) return false;
  if (!client_.tls->certificate->covers(http::host_of(request_.authority))) return true;
  covered_authority_ = request_.authority;
  return false;
}

// Before routes: what plain HTTP is asked for here has its answer whatever the origin is. Nothing: go on.
std::optional<Transaction::Flow> Transaction::answer_at_the_edge() {
  if (is_misdirected()) return answer_error({ErrorCode::kMisdirected, Side::kLocal});
  if (client_.tls) return std::nullopt;
  if (const std::string& directory = router_->edge().acme_directory; !directory.empty()) {
    if (is_acme_path(request_.path)) return answer_challenge(directory, acme_token(request_.path));
  }
  if (client_.https_port == 0 || request_.scheme != "http") return std::nullopt;
  // Nowhere to lead it, and no reason to serve it in plain.
  if (request_.authority.empty()) return answer_error({ErrorCode::kBadHost, Side::kClient});
  return redirect_to_https();
}

Transaction::Flow Transaction::answer_challenge(const std::string& directory, std::optional<std::string_view> token) {
  const auto challenge = token ? read_acme_challenge(directory, *token) : std::nullopt;
  compose_status();
  if (!challenge) return answer_local(404, {}, "404 Not Found\nno ACME challenge of that name (tls.acme)\n");
  return answer_local(200, {}, *challenge);
}

Transaction::Flow Transaction::redirect_to_https() {
  std::string location = "https://";
  location += http::host_of(request_.authority);
  if (client_.https_port != 443) location += ":" + std::to_string(client_.https_port);
  if (request_.path != "*") location += request_.path;
  http::HeaderMap fields;
  fields.add(http::Field::kLocation, location);
  compose_status();
  const bool is_safe = request_.method == Method::kGet || request_.method == Method::kHead;
  // 308 keeps the method and the body.
  return is_safe ? answer_local(301, fields, "301 Moved Permanently\n")
                 : answer_local(308, fields, "308 Permanent Redirect\n");
}

// RFC 6797 section 7.2: over secure transport only, ours or that of a proxy whose PROXY header says so. What the origin
// says stands.
void Transaction::append_hsts(const http::HeaderMap* fields) {
  const std::string& line = router_->hsts_line();
  if (line.empty() || client_.scheme != "https" || (fields && fields->contains("Strict-Transport-Security"))) return;
  composed_ += line;
}

}  // namespace seawall::proxy
