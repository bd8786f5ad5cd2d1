#include "obs/prometheus.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/check.h"

namespace seawall::obs {
namespace {

constexpr std::string_view kTotal = "_total";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string_view to_string(MetricType type) {
  switch (type) {
    case MetricType::kCounter: return "counter";
    case MetricType::kGauge: return "gauge";
    case MetricType::kHistogram: return "histogram";
  }
  return "";
}

// Of metrics and labels; a label's may hold no colon.
[[maybe_unused]] bool is_name(std::string_view text, bool may_hold_colon) {
  const auto is_start = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (may_hold_colon && c == ':');
  };
  return !text.empty() && is_start(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return is_start(c) || (c >= '0' && c <= '9'); });
}

// Bytes of the well-formed UTF-8 sequence at the front, 0 when there is none (Unicode 15, table 3-7).
std::size_t utf8_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  const auto is_tail = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  if (!std::ranges::all_of(text.substr(1, length - 1), is_tail)) return 0;
  const auto second = static_cast<unsigned char>(text[1]);
  const bool is_overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool is_surrogate = lead == 0xED && second > 0x9F;
  const bool is_too_large = lead == 0xF4 && second > 0x8F;
  return is_overlong || is_surrogate || is_too_large ? 0 : length;
}

// A byte that is not UTF-8 would cost the reader the whole exposition.
void append_escaped(std::string& out, std::string_view text, bool escapes_quotes) {
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      out += kReplacement;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\\' || (c == '"' && escapes_quotes)) {
      out += '\\';
      out += c;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
}

// A bound is part of a series' name, so it is written alike in both formats: as OpenMetrics wants it, "1.0".
std::string bound_text(double bound) {
  std::string text = fmt::format("{}", bound);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

void append_label(std::string& out, std::string_view name, std::string_view value) {
  SW_DASSERT(is_name(name, false), "a label's name");
  out += name;
  out += "=\"";
  append_escaped(out, value, true);
  out += '"';
}

}  // namespace

Prometheus::Prometheus(std::string& out, Format format) : out_(out), format_(format) {}

void Prometheus::family(std::string_view name, MetricType type, std::string_view help) {
  SW_DASSERT(is_name(name, true), "a metric's name");
  SW_DASSERT((type == MetricType::kCounter) == name.ends_with(kTotal), "counters, and only they, end in _total");
  name_ = name;
  const bool is_open_metrics = format_ == Format::kOpenMetrics;
  // There the suffix belongs to the samples of a counter, not to its family.
  if (is_open_metrics && type == MetricType::kCounter) name = name.substr(0, name.size() - kTotal.size());
  out_ += "# HELP ";
  out_ += name;
  out_ += ' ';
  append_escaped(out_, help, is_open_metrics);
  out_ += "\n# TYPE ";
  out_ += name;
  out_ += ' ';
  out_ += to_string(type);
  out_ += '\n';
}

// Up to where the value stands. `bound` is the label `le`; empty: none.
void Prometheus::begin_sample(std::string_view suffix, std::initializer_list<Label> labels, std::string_view bound) {
  out_ += name_;
  out_ += suffix;
  char before = '{';
  for (const auto& [name, value] : labels) {
    out_ += before;
    append_label(out_, name, value);
    before = ',';
  }
  if (!bound.empty()) {
    out_ += before;
    append_label(out_, "le", bound);
    before = ',';
  }
  if (before == ',') out_ += '}';
  out_ += ' ';
}

void Prometheus::sample(std::initializer_list<Label> labels, std::uint64_t value) {
  begin_sample("", labels);
  fmt::format_to(std::back_inserter(out_), "{}\n", value);
}

void Prometheus::sample(std::initializer_list<Label> labels, double value) {
  begin_sample("", labels);
  append_number(out_, value);
  out_ += '\n';
}

void Prometheus::histogram(std::initializer_list<Label> labels, std::span<const double> bounds,
                           std::span<const std::uint64_t> counts, double sum_seconds) {
  SW_CHECK(counts.size() == bounds.size() + 1, "a count for each bound, and one past all");
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    begin_sample("_bucket", labels, i < bounds.size() ? bound_text(bounds[i]) : "+Inf");
    fmt::format_to(std::back_inserter(out_), "{}\n", total);
  }
  begin_sample("_sum", labels);
  append_number(out_, sum_seconds);
  out_ += '\n';
  begin_sample("_count", labels);
  fmt::format_to(std::back_inserter(out_), "{}\n", total);
}

void Prometheus::end() {
  if (format_ == Format::kOpenMetrics) out_ += "# EOF\n";
}

std::string_view content_type(Prometheus::Format format) {
  return format == Prometheus::Format::kOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                                    : "text/plain; version=0.0.4; charset=utf-8";
}

}  // namespace seawall::obs
