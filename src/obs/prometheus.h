// The Prometheus text format, version 0.0.4, and OpenMetrics 1.0: families with HELP and TYPE once, labels escaped.
// Appends to a string. Thread: one owner.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace seawall::obs {

enum class MetricType : std::uint8_t { kCounter, kGauge, kHistogram };
using Label = std::pair<std::string_view, std::string_view>;

class Prometheus {
 public:
  enum class Format : std::uint8_t { kText, kOpenMetrics };
  Prometheus(std::string& out, Format format);

  // A counter's name ends in "_total"; the samples that follow belong to it.
  void family(std::string_view name, MetricType type, std::string_view help);
  void sample(std::initializer_list<Label> labels, std::uint64_t value);
  void sample(std::initializer_list<Label> labels, double value);
  // `bounds` in seconds, ascending; `counts` one more than bounds (the last past all bounds), not cumulative.
  void histogram(std::initializer_list<Label> labels, std::span<const double> bounds,
                 std::span<const std::uint64_t> counts, double sum_seconds);
  // "# EOF" where the format wants it.
  void end();

 private:
  void begin_sample(std::string_view suffix, std::initializer_list<Label> labels, std::string_view bound = {});

  std::string& out_;
  Format format_;
  std::string name_;  // of the family that the samples belong to
};

std::string_view content_type(Prometheus::Format format);

}  // namespace seawall::obs
