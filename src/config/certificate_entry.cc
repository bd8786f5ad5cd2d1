#include "config/certificate_entry.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "config/diagnostics.h"
#include "config/entry_words.h"
#include "config/suggest.h"

namespace seawall::config {
namespace {

constexpr std::array<std::string_view, 2> kWords = {"key", "ocsp"};

std::optional<Problem> apply_word(std::string_view word, net::CertificateFiles& files) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  if (name != "key" && name != "ocsp") {
    const std::string_view meant = nearest(name, kWords);
    return Problem{
        fmt::format("tls.certificates has an unknown word {} behind {}", quote(word), quote(files.certificate)),
        meant.empty() ? "words are key=FILE and ocsp=FILE; each certificate is a text of its own"
                      : fmt::format("did you mean \"{}=FILE\"?", meant)};
  }
  const std::string_view file = equals == std::string_view::npos ? "" : word.substr(equals + 1);
  if (file.empty()) {
    return Problem{fmt::format("tls.certificates names no file: {}", quote(word)),
                   fmt::format("write {}=FILE, without spaces", name)};
  }
  std::string& slot = name == "key" ? files.key : files.ocsp;
  if (!slot.empty()) {
    return Problem{fmt::format("tls.certificates gives {} twice: {}", name, quote(word)), "remove one of the two"};
  }
  slot = file;
  return std::nullopt;
}

}  // namespace

std::expected<net::CertificateFiles, Problem> parse_certificate(std::string_view entry) {
  std::string_view rest = entry;
  const std::string_view file = take_word(rest);
  const bool begins_with_word = file.starts_with("key=") || file.starts_with("ocsp=");
  if (file.empty() || begins_with_word || entry.find('\0') != std::string_view::npos) {
    return std::unexpected(
        Problem{fmt::format(R"(tls.certificates must be "FILE", "FILE key=FILE" or "FILE key=FILE ocsp=FILE", not {})",
                            quote(entry)),
                begins_with_word ? "the file of the certificate comes first" : ""});
  }
  net::CertificateFiles files{.certificate = std::string(file), .key = {}, .ocsp = {}};
  for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) {
    if (auto problem = apply_word(word, files)) return std::unexpected(std::move(*problem));
  }
  return files;
}

std::string format_certificate(const net::CertificateFiles& files) {
  std::string text = files.certificate;
  if (!files.key.empty()) text += fmt::format(" key={}", files.key);
  if (!files.ocsp.empty()) text += fmt::format(" ocsp={}", files.ocsp);
  return text;
}

}  // namespace seawall::config
