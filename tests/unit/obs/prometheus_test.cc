#include "obs/prometheus.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "obs/route_counters.h"
#include "support/temporary_directory.h"

namespace seawall::obs {
namespace {

using Format = Prometheus::Format;

boost::test_tools::assertion_result is_promtool_installed(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(std::system("promtool --version >/dev/null 2>&1") == 0);
  result.message() << "promtool is not installed (Debian: prometheus)";
  return result;
}

struct Outcome {
  int code;
  std::string output;
};

// A shell's command, and all that it prints.
Outcome run(const std::string& command) {
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen");
  Outcome outcome{};
  std::array<char, 4096> buffer{};
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    outcome.output.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

// Every type, and labels with all that could end them too early.
std::string exposition(Format format) {
  std::string out;
  Prometheus metrics(out, format);
  metrics.family("seawall_requests_total", MetricType::kCounter, "Requests, by \"route\"\\path\nand answer.");
  metrics.sample({{"route", "shop"}, {"class", "2xx"}}, std::numeric_limits<std::uint64_t>::max());
  metrics.sample({{"route", "quote \" backslash \\ line\nfeed {,}=# \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8C\x8A"}},
                 std::uint64_t{0});
  metrics.sample({{"route", "latin-1 \xE9, cut \xE2\x82"}}, std::uint64_t{1});
  metrics.sample({{"route", ""}}, 1.5);
  metrics.family("seawall_memory_bytes", MetricType::kGauge, "Memory in use.");
  metrics.sample({}, std::uint64_t{1} << 40);
  metrics.family("seawall_limit_ratio", MetricType::kGauge, "Odd numbers.");
  metrics.sample({{"kind", "nan"}}, std::numeric_limits<double>::quiet_NaN());
  metrics.sample({{"kind", "most"}}, std::numeric_limits<double>::infinity());
  metrics.sample({{"kind", "least"}}, -std::numeric_limits<double>::infinity());
  metrics.sample({{"kind", "small"}}, 1e-9);
  metrics.family("seawall_nobody_has_it", MetricType::kGauge, "A family without samples.");
  metrics.family("seawall_first_byte_seconds", MetricType::kHistogram, "Time until the answer began.");
  std::array<std::uint64_t, kLatencyBounds.size() + 1> counts{};
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = i;
  metrics.histogram({{"route", "a"}}, kLatencyBounds, counts, 12.5);
  metrics.histogram({{"route", "b"}}, kLatencyBounds, std::array<std::uint64_t, kLatencyBounds.size() + 1>{}, 0);
  metrics.end();
  return out;
}

BOOST_AUTO_TEST_SUITE(obs_prometheus)

BOOST_AUTO_TEST_CASE(counters_are_named_as_each_format_wants) {
  struct Row {
    Format format;
    std::string want;
  };
  const Row rows[] = {
      {Format::kText, "# HELP a_total Of a.\n# TYPE a_total counter\na_total{x=\"1\",y=\"2\"} 7\na_total 8\n"},
      {Format::kOpenMetrics, "# HELP a Of a.\n# TYPE a counter\na_total{x=\"1\",y=\"2\"} 7\na_total 8\n# EOF\n"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(content_type(row.format)) {
      std::string out;
      Prometheus metrics(out, row.format);
      metrics.family("a_total", MetricType::kCounter, "Of a.");
      metrics.sample({{"x", "1"}, {"y", "2"}}, std::uint64_t{7});
      metrics.sample({}, std::uint64_t{8});
      metrics.end();
      BOOST_TEST(out == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(it_appends) {
  std::string out = "before\n";
  Prometheus metrics(out, Format::kText);
  metrics.end();
  BOOST_TEST(out == "before\n");
}

BOOST_AUTO_TEST_CASE(label_values_cannot_break_out) {
  struct Row {
    const char* name;
    std::string_view value;
    std::string want;
  };
  using namespace std::string_view_literals;
  const std::string bad = "\xEF\xBF\xBD";
  const Row rows[] = {
      {"plain", "shop", "shop"},
      {"empty", "", ""},
      {"quote", "a\"b", "a\\\"b"},
      {"backslash at the end", "a\\", "a\\\\"},
      {"line feed", "a\nb 1\n", "a\\nb 1\\n"},
      {"others stay", "{a=\"b\"} # \t\r", "{a=\\\"b\\\"} # \t\r"},
      {"zero byte", "a\0b"sv, std::string("a\0b"sv)},
      {"two, three and four bytes", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8C\x8A", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8C\x8A"},
      {"the last code point", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
      {"past it", "\xF4\x90\x80\x80", bad + bad + bad + bad},
      {"latin-1", "caf\xE9", "caf" + bad},
      {"cut short", "\xE2\x82", bad + bad},
      {"a tail alone", "\x82z", bad + "z"},
      {"a head before a quote", "\xC3\"", bad + "\\\""},
      {"overlong, two bytes", "\xC0\x80", bad + bad},
      {"overlong, three bytes", "\xE0\x9F\xBF", bad + bad + bad},
      {"overlong, four bytes", "\xF0\x8F\xBF\xBF", bad + bad + bad + bad},
      {"surrogate", "\xED\xA0\x80", bad + bad + bad},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      std::string out;
      Prometheus metrics(out, Format::kText);
      metrics.family("a", MetricType::kGauge, "A.");
      out.clear();
      metrics.sample({{"l", row.value}}, std::uint64_t{1});
      BOOST_TEST(out == "a{l=\"" + row.want + "\"} 1\n");
    }
  }
}

BOOST_AUTO_TEST_CASE(help_texts_are_escaped_as_each_format_wants) {
  for (const Format format : {Format::kText, Format::kOpenMetrics}) {
    std::string out;
    Prometheus(out, format).family("a", MetricType::kGauge, "a \"b\"\\\n\xE9");
    const std::string quote = format == Format::kText ? "\"" : "\\\"";
    BOOST_TEST(out == "# HELP a a " + quote + "b" + quote + "\\\\\\n\xEF\xBF\xBD\n# TYPE a gauge\n");
  }
}

BOOST_AUTO_TEST_CASE(numbers) {
  struct Row {
    double value;
    const char* want;
  };
  using Limits = std::numeric_limits<double>;
  const Row rows[] = {{0, "0"},
                      {1, "1"},
                      {-1.5, "-1.5"},
                      {0.1, "0.1"},
                      {1e-9, "1e-09"},
                      {1e300, "1e+300"},
                      {Limits::quiet_NaN(), "NaN"},
                      {-Limits::quiet_NaN(), "NaN"},
                      {Limits::infinity(), "+Inf"},
                      {-Limits::infinity(), "-Inf"}};
  for (const Row& row : rows) {
    std::string out;
    Prometheus metrics(out, Format::kText);
    metrics.family("a", MetricType::kGauge, "A.");
    out.clear();
    metrics.sample({}, row.value);
    BOOST_TEST(out == std::string("a ") + row.want + "\n");
  }
}

BOOST_AUTO_TEST_CASE(histograms_are_cumulative_and_alike_in_both_formats) {
  for (const Format format : {Format::kText, Format::kOpenMetrics}) {
    std::string out;
    Prometheus metrics(out, format);
    metrics.family("a_seconds", MetricType::kHistogram, "A.");
    metrics.histogram({{"r", "x"}}, std::array{0.005, 1.0, 30.0}, std::array<std::uint64_t, 4>{1, 0, 2, 3}, 95.25);
    metrics.histogram({}, std::array{0.5}, std::array<std::uint64_t, 2>{}, 0);
    BOOST_TEST(out ==
               "# HELP a_seconds A.\n"
               "# TYPE a_seconds histogram\n"
               "a_seconds_bucket{r=\"x\",le=\"0.005\"} 1\n"
               "a_seconds_bucket{r=\"x\",le=\"1.0\"} 1\n"
               "a_seconds_bucket{r=\"x\",le=\"30.0\"} 3\n"
               "a_seconds_bucket{r=\"x\",le=\"+Inf\"} 6\n"
               "a_seconds_sum{r=\"x\"} 95.25\n"
               "a_seconds_count{r=\"x\"} 6\n"
               "a_seconds_bucket{le=\"0.5\"} 0\n"
               "a_seconds_bucket{le=\"+Inf\"} 0\n"
               "a_seconds_sum 0\n"
               "a_seconds_count 0\n");
  }
}

BOOST_AUTO_TEST_CASE(content_types) {
  BOOST_TEST(content_type(Format::kText) == "text/plain; version=0.0.4; charset=utf-8");
  BOOST_TEST(content_type(Format::kOpenMetrics) == "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

BOOST_AUTO_TEST_CASE(promtool_finds_nothing_wrong, *boost::unit_test::precondition(is_promtool_installed)) {
  const test::TemporaryDirectory directory;
  std::ofstream(directory.path("metrics"), std::ios::binary) << exposition(Format::kText);
  const Outcome good = run("promtool check metrics <" + directory.path("metrics"));
  BOOST_TEST(good.code == 0, good.output);
  BOOST_TEST(good.output == "");
  // That it would have found something.
  std::ofstream(directory.path("metrics"), std::ios::binary | std::ios::app) << "a{b=\"c\nd\"} 1\n";
  BOOST_TEST(run("promtool check metrics <" + directory.path("metrics")).code != 0);
}

// promtool reads OpenMetrics only as a history to import, whose samples have times.
BOOST_AUTO_TEST_CASE(promtool_reads_open_metrics, *boost::unit_test::precondition(is_promtool_installed)) {
  const test::TemporaryDirectory directory;
  const auto import = [&](const std::string& text) {
    std::istringstream lines(text);
    std::ofstream timed(directory.path("metrics"), std::ios::binary);
    for (std::string line; std::getline(lines, line);)
      timed << line << (line.starts_with('#') ? "\n" : " 1700000000\n");
    timed.close();
    return run("promtool tsdb create-blocks-from openmetrics " + directory.path("metrics") + " " +
               directory.path("data"));
  };
  const std::string text = exposition(Format::kOpenMetrics);
  const Outcome good = import(text);
  BOOST_TEST(good.code == 0, good.output);
  BOOST_TEST(import(text.substr(0, text.size() - 6)).code != 0, "without # EOF");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::obs
