#include "config/listen_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "config/diagnostics.h"
#include "config/entry_words.h"
#include "config/suggest.h"
#include "net/address.h"

namespace seawall::config {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::array<std::string_view, 5> kWords = {"tls", "plain", "proxy", "redirect", "mode"};

std::unexpected<Problem> refuse(std::string message, std::string hint = {}) {
  return std::unexpected(Problem{std::move(message), std::move(hint)});
}

std::expected<net::ListenOptions, Problem> parse_place(std::string_view word) {
  net::ListenOptions listen;
  if (word.starts_with(kUnix)) {
    listen.path = word.substr(kUnix.size());
    if (is_socket_path(listen.path)) return listen;
    return refuse(fmt::format("server.listen must be \"unix:\" and a path of at most 107 bytes, not {}", quote(word)),
                  listen.path.empty() ? "for example \"unix:/run/seawall/http.sock\"" : "choose a shorter path");
  }
  listen.address = word;
  if (net::Address::parse(word)) return listen;
  return refuse(
      fmt::format(R"(server.listen must be "ADDR:PORT" such as "127.0.0.1:8080", "[::1]:8080" or ":8080", not {})",
                  quote(word)),
      word.starts_with('/') ? fmt::format("did you mean {}?", quote(fmt::format("unix:{}", word))) : "");
}

std::optional<Problem> apply_mode(std::string_view word, std::string_view digits, net::ListenOptions& listen) {
  if (listen.path.empty()) {
    return Problem{fmt::format("server.listen takes a mode with \"unix:\" only: {}", quote(word)), "leave it out"};
  }
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), listen.mode, 8);
  const bool is_octal = error == std::errc() && end == digits.data() + digits.size();
  if (is_octal && digits.size() >= 3 && digits.size() <= 4 && listen.mode <= 0777) return std::nullopt;
  return Problem{fmt::format("server.listen takes a mode of octal digits from 000 to 777, not {}", quote(word)),
                 "for example mode=660"};
}

std::optional<Problem> apply_redirect(std::string_view word, std::string_view digits, net::ListenOptions& listen) {
  listen.redirects = true;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), listen.redirect_port);
  if (error == std::errc() && end == digits.data() + digits.size() && listen.redirect_port != 0) return std::nullopt;
  return Problem{fmt::format("server.listen redirects to a port from 1 to 65535, not {}", quote(word)),
                 "for example redirect=443, or redirect alone for the port of the listener that takes TLS"};
}

std::optional<Problem> apply_word(std::string_view word, net::ListenOptions& listen) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const std::string_view value = equals == word.npos ? "" : word.substr(equals + 1);
  if (name == "mode") return apply_mode(word, value, listen);
  if (name == "redirect" && equals != word.npos) return apply_redirect(word, value, listen);
  if (word == "tls") {
    listen.takes_tls = true;
  } else if (word == "proxy") {
    listen.expects_proxy = true;
  } else if (word == "redirect") {
    listen.redirects = true;
  } else if (word != "plain") {
    const std::string_view meant = nearest(name, kWords);
    return Problem{
        fmt::format("server.listen has an unknown word {} behind {}", quote(word), quote(listen_place(listen))),
        meant.empty() ? "words are tls, plain, proxy, redirect, redirect=PORT and mode=OCTAL"
                      : fmt::format("did you mean \"{}{}\"?", meant, meant == "mode" ? "=OCTAL" : "")};
  }
  return std::nullopt;
}

}  // namespace

std::expected<net::ListenOptions, Problem> parse_listen(std::string_view entry) {
  std::string_view rest = entry;
  auto listen = parse_place(take_word(rest));
  if (!listen) return listen;
  bool is_plain_named = false;
  std::array<bool, kWords.size()> seen{};
  for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) {
    if (auto problem = apply_word(word, *listen)) return std::unexpected(std::move(*problem));
    const auto at = std::ranges::find(kWords, word.substr(0, word.find('=')));
    if (std::exchange(seen[static_cast<std::size_t>(at - kWords.begin())], true)) {
      return refuse(fmt::format("server.listen gives {} twice: {}", *at, quote(entry)), "remove one of the two");
    }
    is_plain_named = is_plain_named || word == "plain";
  }
  listen->takes_plain = is_plain_named || !listen->takes_tls;
  if (listen->redirects && !listen->takes_plain) {
    return refuse(fmt::format("server.listen redirects plain requests, and takes none there: {}", quote(entry)),
                  "put redirect behind the address for plain requests, such as \":80 redirect\"");
  }
  return listen;
}

std::string listen_place(const net::ListenOptions& listen) {
  return listen.path.empty() ? listen.address : fmt::format("{}{}", kUnix, listen.path);
}

std::string format_listen(const net::ListenOptions& listen) {
  std::string text = listen_place(listen);
  if (listen.takes_tls) text += listen.takes_plain ? " tls plain" : " tls";
  if (listen.expects_proxy) text += " proxy";
  if (listen.redirects) text += " redirect";
  if (listen.redirect_port != 0) text += fmt::format("={}", listen.redirect_port);
  if (listen.mode != net::ListenOptions{}.mode) text += fmt::format(" mode={:03o}", listen.mode);
  return text;
}

}  // namespace seawall::config
