#include "server/demo_pages.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "http/date.h"
#include "http/etag.h"
#include "http/range.h"

namespace seawall::server {
namespace {

using http::Field;

// Longer than the page's max-age, so that a revalidation in between is answered with 304.
constexpr Millis kHomeLifetime{30'000};
constexpr std::size_t kBigBytes = std::size_t{10} << 20;
constexpr std::string_view kBigEtag = "\"big-1\"";

struct Page {
  std::string_view path;
  std::string_view cache_control;
  std::string_view about;
};

constexpr std::array kPages = {
    Page{"/", "max-age=10", "this page: fresh for 10 seconds, made anew every 30, revalidated by its ETag in between"},
    Page{"/slow", "max-age=5", "takes 300 ms; fresh for 5 seconds"},
    Page{"/stream", "max-age=10", "arrives in five pieces, 200 ms apart"},
    Page{"/nocache", "no-store", "is never stored"},
    Page{"/private", "private, max-age=60", "is for one user, so a shared cache does not store it"},
    Page{"/vary", "max-age=30", "differs by Accept-Encoding and Accept-Language"},
    Page{"/big", "max-age=60", "10 MiB, with ranges and an ETag"},
    Page{"/error", "no-store", "fails with 500"},
    Page{"/swr", "max-age=2, stale-while-revalidate=30",
         "fresh for 2 seconds, then served stale while it is fetched anew"},
    Page{"/post", "no-store", "POST: sends back what it got"},
};

const Page* find_page(std::string_view path) {
  for (const Page& page : kPages) {
    if (page.path == path) return &page;
  }
  return nullptr;
}

void set_text(DemoAnswer& answer, std::string_view text) {
  answer.headers.set(Field::kContentType, "text/plain; charset=utf-8");
  answer.body = Slice::copy_of(nullptr, text);
}

bool is_not_modified(const http::RequestHead& request, std::string_view etag) {
  const auto list = request.headers.combined(Field::kIfNoneMatch);
  return list && (*list == "*" || http::list_contains(*list, etag, http::Comparison::kWeak));
}

void set_not_modified(DemoAnswer& answer) {
  answer.status = 304;
  answer.has_body = false;
}

std::string_view language_of(const http::RequestHead& request) {
  const auto wanted = request.headers.find(Field::kAcceptLanguage);
  if (wanted && wanted->starts_with("de")) return "de";
  if (wanted && wanted->starts_with("fr")) return "fr";
  return "en";
}

std::string vary_text(const http::RequestHead& request) {
  const std::string_view language = language_of(request);
  const std::string_view greeting = language == "de" ? "Guten Tag" : language == "fr" ? "Bonjour" : "Good day";
  return fmt::format("{}\nAccept-Encoding: {}\nAccept-Language: {}\n", greeting,
                     request.headers.combined(Field::kAcceptEncoding).value_or("(none)"),
                     request.headers.combined(Field::kAcceptLanguage).value_or("(none)"));
}

}  // namespace

std::string DemoPages::stamp(WallTime now) const {
  return fmt::format("made {}, request {} of this origin\n", http::format_date(now), requests_);
}

DemoAnswer DemoPages::home(const http::RequestHead& request, WallTime now) {
  if (home_page_.empty() || now - home_made_ >= kHomeLifetime) {
    home_made_ = now;
    home_etag_ = fmt::format("\"home-{}\"", requests_);
    std::string links;
    for (const Page& page : kPages)
      links += fmt::format("<li><a href=\"{}\">{}</a> {}</li>\n", page.path, page.path, page.about);
    home_page_ = fmt::format(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>seawall demo "
        "origin</title></head>\n<body>\n"
        "<h1>seawall demo origin</h1>\n<p>This page was {}</p>\n"
        "<p>While it is in the cache, reloading changes nothing here, and the origin is not "
        "asked.</p>\n<ul>\n{}</ul>\n</body></html>\n",
        stamp(now), links);
  }
  DemoAnswer answer;
  answer.headers.set(Field::kEtag, home_etag_);
  if (is_not_modified(request, home_etag_)) {
    set_not_modified(answer);
    return answer;
  }
  answer.headers.set(Field::kContentType, "text/html; charset=utf-8");
  answer.body = Slice::copy_of(nullptr, home_page_);
  return answer;
}

DemoAnswer DemoPages::big(const http::RequestHead& request) {
  if (big_body_.empty()) {
    std::string text;
    text.reserve(kBigBytes + 32);
    for (std::size_t line = 0; text.size() < kBigBytes; ++line)
      text += fmt::format("line {:010} of the big page\n", line);
    text.resize(kBigBytes);
    big_body_ = Slice::copy_of(nullptr, text);
  }
  DemoAnswer answer;
  answer.headers.set(Field::kEtag, kBigEtag);
  answer.headers.set(Field::kAcceptRanges, "bytes");
  if (is_not_modified(request, kBigEtag)) {
    set_not_modified(answer);
    return answer;
  }
  answer.headers.set(Field::kContentType, "text/plain; charset=utf-8");
  const auto if_range = request.headers.find(Field::kIfRange);
  const auto range = request.headers.find(Field::kRange);
  const auto specs = range && (!if_range || *if_range == kBigEtag) ? http::parse_range(*range) : std::nullopt;
  if (!specs) {
    answer.body = big_body_;
    return answer;
  }
  const auto ranges = http::resolve(*specs, kBigBytes);
  if (ranges.empty()) {
    answer.status = 416;
    answer.headers.set(Field::kContentRange, http::format_unsatisfied_range(kBigBytes));
  } else if (ranges.size() > 1) {
    answer.body = big_body_;
  } else {
    answer.status = 206;
    answer.headers.set(Field::kContentRange, http::format_content_range(ranges.front(), kBigBytes));
    answer.body = big_body_.subslice(static_cast<std::size_t>(ranges.front().first),
                                     static_cast<std::size_t>(ranges.front().size()));
  }
  return answer;
}

DemoAnswer DemoPages::answer(const http::RequestHead& request, std::string_view body, WallTime now) {
  ++requests_;
  const std::string_view path = std::string_view(request.path).substr(0, request.path.find('?'));
  const Page* page = find_page(path);
  const bool is_read = request.method == http::Method::kGet || request.method == http::Method::kHead;
  const bool is_post_page = page != nullptr && page->path == "/post";
  DemoAnswer answer;
  if (page == nullptr) {
    answer.status = 404;
    set_text(answer, "there is no such page; see /\n");
  } else if (!is_read && !(is_post_page && request.method == http::Method::kPost)) {
    answer.status = 405;
    answer.headers.set(Field::kAllow, is_post_page ? "GET, HEAD, POST" : "GET, HEAD");
    set_text(answer, "this page does not take that method\n");
  } else if (page->path == "/") {
    answer = home(request, now);
  } else if (page->path == "/big") {
    answer = big(request);
  } else if (is_post_page && !is_read) {
    set_text(answer, body);
    if (const auto type = request.headers.find(Field::kContentType)) answer.headers.set(Field::kContentType, *type);
  } else if (page->path == "/vary") {
    set_text(answer, vary_text(request));
    answer.headers.set(Field::kVary, "Accept-Encoding, Accept-Language");
    answer.headers.set("Content-Language", language_of(request));
  } else if (page->path == "/stream") {
    set_text(answer, "");
    for (int i = 1; i <= 5; ++i) answer.pieces.push_back(fmt::format("piece {} of 5, {}", i, stamp(now)));
  } else {
    set_text(answer, stamp(now));
    if (page->path == "/slow") answer.delay = Millis{300};
    if (page->path == "/error") answer.status = 500;
    if (page->path == "/private") answer.headers.set(Field::kSetCookie, "visitor=demo");
  }
  answer.headers.set(Field::kDate, http::format_date(now));
  answer.headers.set(Field::kServer, "seawall-demo-origin");
  answer.headers.set(Field::kCacheControl, page != nullptr ? page->cache_control : "no-store");
  return answer;
}

}  // namespace seawall::server
