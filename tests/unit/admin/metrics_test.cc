#include "admin/metrics.h"

#include <stdlib.h>
#include <sys/wait.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>

#include "support/temporary_directory.h"

namespace seawall::admin {
namespace {

using Format = obs::Prometheus::Format;

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

OriginView origin_named(std::string name) {
  OriginView view;
  view.state.name = std::move(name);
  view.state.servers = {{.name = "10.0.0.5:3000", .in_flight = 1, .requests = 5, .failures = 4},
                        {.name = "10.0.0.6:3000", .is_healthy = false},
                        {.name = "10.0.0.7:3000", .is_usable = false}};
  view.state.breaker = origin::Breaker::State::kHalfOpen;
  view.state.breaker_opened = 2;
  view.state.back_off = Millis{2500};
  view.state.in_flight = 11;
  view.state.limit = 13;
  view.state.queued = 14;
  view.state.queue_limit = 15;
  view.state.saturation = 0.25;
  view.state.queue_wait = {Millis{1}, Millis{20}, Millis{3000}};
  view.state.requests = 21;
  view.state.retries = 22;
  view.state.hedges = 23;
  view.state.statuses = {9, 1, 2, 3, 4, 5};
  view.state.errors[static_cast<std::size_t>(ErrorCode::kConnectTimeout)] = 31;
  view.state.errors[static_cast<std::size_t>(ErrorCode::kPeerReset)] = 32;
  view.fills = {.waiting = {1, 2, 3, 4},
                .running = 5,
                .allowed = 6,
                .limit = 7,
                .wait = {Millis{8}, Millis{9}, Millis{10}},
                .begun = 41,
                .ended = 42,
                .failed = 43,
                .refused = 44,
                .expired = 45};
  return view;
}

RouteView route_named(std::string name) {
  RouteView view;
  view.name = std::move(name);
  view.storm = {.is_active = true, .begun = 2, .misses_per_second = 1.5};
  view.sums.requests[2][static_cast<std::size_t>(obs::CacheResult::kHit)] = 10;
  view.sums.requests[0][static_cast<std::size_t>(obs::CacheResult::kMiss)] = 1;
  view.sums.latency[0] = 7;
  view.sums.latency[obs::kLatencyBounds.size()] = 3;
  view.sums.latency_us = 1'500'000;
  view.sums.body_bytes = 1234;
  view.stale = 7;
  view.refreshed = 8;
  return view;
}

DiskView some_disk() {
  DiskView view{.is_loaded = true, .loaded = 81};
  view.stats.lookups = 82;
  view.stats.reads_corrupt = 83;
  view.stats.puts[static_cast<std::size_t>(disk::PutStatus::kBacklog)] = 84;
  view.stats.lz4_compress_ns = 1'500'000'000;
  view.stats.volumes = {{.path = "/a",
                         .state = disk::VolumeState::kInService,
                         .capacity_bytes = 85,
                         .objects = 86,
                         .read_backend = disk::ReadBackend::kIoUring},
                        {.path = "/b", .state = disk::VolumeState::kOutOfService, .times_out_of_service = 87}};
  return view;
}

ServerView some_server() {
  return {.started = WallTime{1'700'000'000'250},
          .connections = 3,
          .reloads = 4,
          .memory = {.state = {.configured_bytes = 56, .allocator = AllocatorStats{91, 92, 93, 94, 95}},
                     .cache = {.objects = 51,
                               .stored_bytes = 52,
                               .stored_body_bytes = 1,
                               .stored_head_bytes = 2,
                               .index_bytes = 3,
                               .ghost_bytes = 4,
                               .budget_used_bytes = 53,
                               .packed = 8,
                               .packed_bytes = 9,
                               .packed_raw_bytes = 10,
                               .evictions = 54,
                               .rejected = 55},
                     .limit_bytes = 50,
                     .in_flight_bytes = 5,
                     .disk_index_bytes = 6,
                     .packing = cache::PackStats{.packed = 1001,
                                                 .packed_raw_bytes = 1002,
                                                 .packed_bytes = 1003,
                                                 .unpacked = 1004,
                                                 .no_gain = 1005,
                                                 .queue_full = 1006,
                                                 .no_room = 1007,
                                                 .outdated = 1008,
                                                 .pack_ns = 1'500'000'000,
                                                 .unpack_ns = 2'500'000'000,
                                                 .answers = 1009}},
          .fills_in_flight = 57,
          .waiters = 58,
          .miss_events = {.emitted = 61, .duplicates = 62, .limited = 63},
          .purge = {.urls = 71, .rules = 72, .swept = 73},
          .disk = some_disk()};
}

std::string exposition(Format format) {
  // Names are the operator's, and may hold what would end a label.
  return metrics_text(some_server(), {route_named("shop.test /*"), route_named("a \"b\"\\\n")},
                      std::vector{origin_named("shop"), origin_named("10.0.0.1:3000")}, format);
}

// Samples that stand in a text, by what stands before their values.
std::map<std::string, std::string> samples_of(const std::string& text) {
  std::map<std::string, std::string> samples;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    const std::size_t space = line.rfind(' ');
    BOOST_TEST(samples.emplace(line.substr(0, space), line.substr(space + 1)).second, line);
  }
  return samples;
}

BOOST_AUTO_TEST_SUITE(admin_metrics)

BOOST_AUTO_TEST_CASE(every_sample_tells_what_it_is_named_for) {
  const auto samples =
      samples_of(metrics_text(some_server(), {route_named("r")}, std::vector{origin_named("o")}, Format::kText));
  const std::map<std::string, std::string> want = {
      {"seawall_start_time_seconds", "1700000000.25"},
      {"seawall_ready", "1"},
      {"seawall_config_reloads_total", "4"},
      {"seawall_config_last_reload_successful", "1"},
      {"seawall_http_connections", "3"},
      {R"(seawall_http_requests_total{route="r",code="2xx",cache="hit"})", "10"},
      {R"(seawall_http_requests_total{route="r",code="none",cache="miss"})", "1"},
      {R"(seawall_http_request_duration_seconds_bucket{route="r",le="0.0005"})", "7"},
      {R"(seawall_http_request_duration_seconds_bucket{route="r",le="30.0"})", "7"},
      {R"(seawall_http_request_duration_seconds_bucket{route="r",le="+Inf"})", "10"},
      {R"(seawall_http_request_duration_seconds_sum{route="r"})", "1.5"},
      {R"(seawall_http_request_duration_seconds_count{route="r"})", "10"},
      {R"(seawall_http_response_body_bytes_total{route="r"})", "1234"},
      {R"(seawall_stale_served_total{route="r"})", "7"},
      {R"(seawall_refreshes_total{route="r"})", "8"},
      {R"(seawall_storm_active{route="r"})", "1"},
      {R"(seawall_storms_total{route="r"})", "2"},
      {R"(seawall_misses_per_second{route="r"})", "1.5"},
      {"seawall_cache_objects", "51"},
      {"seawall_cache_bytes", "52"},
      {"seawall_cache_budget_used_bytes", "53"},
      {"seawall_cache_evictions_total", "54"},
      {"seawall_cache_compressed_objects", "8"},
      {"seawall_cache_compressed_bytes", "9"},
      {"seawall_cache_uncompressed_bytes", "10"},
      {"seawall_cache_compress_total", "1001"},
      {"seawall_cache_compress_bytes_total", "1002"},
      {"seawall_cache_compress_stored_bytes_total", "1003"},
      {"seawall_cache_decompress_total", "1004"},
      {R"(seawall_cache_compress_dropped_total{reason="no_gain"})", "1005"},
      {R"(seawall_cache_compress_dropped_total{reason="queue_full"})", "1006"},
      {R"(seawall_cache_compress_dropped_total{reason="no_room"})", "1007"},
      {R"(seawall_cache_compress_dropped_total{reason="outdated"})", "1008"},
      {"seawall_cache_compress_seconds_total", "1.5"},
      {"seawall_cache_decompress_seconds_total", "2.5"},
      {"seawall_cache_compressed_answers_total", "1009"},
      {"seawall_cache_rejected_total", "55"},
      {"seawall_cache_budget_bytes", "56"},
      {"seawall_cache_budget_limit_bytes", "50"},
      {R"(seawall_cache_memory_bytes{kind="bodies"})", "1"},
      {R"(seawall_cache_memory_bytes{kind="heads"})", "2"},
      {R"(seawall_cache_memory_bytes{kind="index"})", "3"},
      {R"(seawall_cache_memory_bytes{kind="ghosts"})", "4"},
      {R"(seawall_cache_memory_bytes{kind="in_flight"})", "5"},
      {R"(seawall_cache_memory_bytes{kind="disk_index"})", "6"},
      {R"(seawall_cache_memory_bytes{kind="pinned"})", "32"},
      {R"(seawall_allocator_bytes{kind="allocated"})", "91"},
      {R"(seawall_allocator_bytes{kind="active"})", "92"},
      {R"(seawall_allocator_bytes{kind="metadata"})", "93"},
      {R"(seawall_allocator_bytes{kind="resident"})", "94"},
      {R"(seawall_allocator_bytes{kind="retained"})", "95"},
      {"seawall_fills_in_flight", "57"},
      {"seawall_waiters", "58"},
      {R"(seawall_origin_requests_total{origin="o"})", "21"},
      {R"(seawall_origin_responses_total{origin="o",code="1xx"})", "1"},
      {R"(seawall_origin_responses_total{origin="o",code="2xx"})", "2"},
      {R"(seawall_origin_responses_total{origin="o",code="5xx"})", "5"},
      {R"(seawall_origin_errors_total{origin="o",error="connect-timeout"})", "31"},
      {R"(seawall_origin_errors_total{origin="o",error="reset"})", "32"},
      {R"(seawall_origin_timeouts_total{origin="o",timeout="connect"})", "31"},
      {R"(seawall_origin_timeouts_total{origin="o",timeout="dns"})", "0"},
      {R"(seawall_origin_timeouts_total{origin="o",timeout="first_byte"})", "0"},
      {R"(seawall_origin_timeouts_total{origin="o",timeout="between_bytes"})", "0"},
      {R"(seawall_origin_timeouts_total{origin="o",timeout="send"})", "0"},
      {R"(seawall_origin_timeouts_total{origin="o",timeout="total"})", "0"},
      {R"(seawall_origin_timeouts_total{origin="o",timeout="queue"})", "0"},
      {R"(seawall_origin_retries_total{origin="o"})", "22"},
      {R"(seawall_origin_hedges_total{origin="o"})", "23"},
      {R"(seawall_origin_in_flight{origin="o"})", "11"},
      {R"(seawall_origin_in_flight_limit{origin="o"})", "13"},
      {R"(seawall_origin_queue{origin="o"})", "14"},
      {R"(seawall_origin_queue_limit{origin="o"})", "15"},
      {R"(seawall_origin_queue_wait_seconds{origin="o",percentile="50"})", "0.001"},
      {R"(seawall_origin_queue_wait_seconds{origin="o",percentile="90"})", "0.02"},
      {R"(seawall_origin_queue_wait_seconds{origin="o",percentile="99"})", "3"},
      {R"(seawall_origin_saturation{origin="o"})", "0.25"},
      {R"(seawall_origin_breaker_state{origin="o",state="closed"})", "0"},
      {R"(seawall_origin_breaker_state{origin="o",state="open"})", "0"},
      {R"(seawall_origin_breaker_state{origin="o",state="half-open"})", "1"},
      {R"(seawall_origin_breaker_opened_total{origin="o"})", "2"},
      {R"(seawall_origin_back_off_seconds{origin="o"})", "2.5"},
      {R"(seawall_server_up{origin="o",server="10.0.0.5:3000"})", "1"},
      {R"(seawall_server_up{origin="o",server="10.0.0.6:3000"})", "0"},
      {R"(seawall_server_up{origin="o",server="10.0.0.7:3000"})", "0"},
      {R"(seawall_server_in_flight{origin="o",server="10.0.0.5:3000"})", "1"},
      {R"(seawall_server_requests_total{origin="o",server="10.0.0.5:3000"})", "5"},
      {R"(seawall_server_failures_total{origin="o",server="10.0.0.5:3000"})", "4"},
      {R"(seawall_fills_waiting{origin="o",class="miss"})", "1"},
      {R"(seawall_fills_waiting{origin="o",class="revalidate"})", "2"},
      {R"(seawall_fills_waiting{origin="o",class="refresh"})", "3"},
      {R"(seawall_fills_waiting{origin="o",class="prefetch"})", "4"},
      {R"(seawall_fills_running{origin="o"})", "5"},
      {R"(seawall_fills_allowed{origin="o"})", "6"},
      {R"(seawall_fills_wanted{origin="o"})", "15"},
      {R"(seawall_fill_queue_limit{origin="o"})", "7"},
      {R"(seawall_fill_wait_seconds{origin="o",percentile="50"})", "0.008"},
      {R"(seawall_fill_wait_seconds{origin="o",percentile="90"})", "0.009"},
      {R"(seawall_fill_wait_seconds{origin="o",percentile="99"})", "0.01"},
      {R"(seawall_fills_begun_total{origin="o"})", "41"},
      {R"(seawall_fills_ended_total{origin="o"})", "42"},
      {R"(seawall_fills_failed_total{origin="o"})", "43"},
      {R"(seawall_fills_refused_total{origin="o"})", "44"},
      {R"(seawall_fills_expired_total{origin="o"})", "45"},
      {"seawall_miss_events_total", "61"},
      {"seawall_miss_events_duplicates_total", "62"},
      {"seawall_miss_events_limited_total", "63"},
      {R"(seawall_purged_total{kind="url"})", "71"},
      {R"(seawall_purged_total{kind="rule"})", "72"},
      {"seawall_purge_swept_total", "73"},
  };
  for (const auto& [name, value] : want) {
    const auto at = samples.find(name);
    BOOST_TEST_REQUIRE((at != samples.end()), name);
    BOOST_TEST(at->second == value, name << " is " << at->second);
  }
  // What never happened is not told, but for what is named.
  BOOST_TEST(!samples.contains(R"(seawall_http_requests_total{route="r",code="2xx",cache="miss"})"));
  BOOST_TEST(!samples.contains(R"(seawall_origin_errors_total{origin="o",error="closed"})"));
  BOOST_TEST(!samples.contains(R"(seawall_origin_responses_total{origin="o",code="none"})"));
}

BOOST_AUTO_TEST_CASE(the_disk_cache_and_its_directories) {
  ServerView server = some_server();
  auto samples = samples_of(metrics_text(server, {}, {}, Format::kText));
  BOOST_TEST(samples["seawall_disk_loaded"] == "1");
  BOOST_TEST(samples["seawall_disk_loads_total"] == "81");
  BOOST_TEST(samples["seawall_disk_lookups_total"] == "82");
  BOOST_TEST(samples["seawall_disk_read_failures_total{reason=\"checksum\"}"] == "83");
  BOOST_TEST(samples["seawall_disk_puts_total{result=\"backlog\"}"] == "84");
  BOOST_TEST(samples["seawall_disk_compress_seconds_total"] == "1.5");
  BOOST_TEST(samples["seawall_disk_capacity_bytes{volume=\"/a\"}"] == "85");
  BOOST_TEST(samples["seawall_disk_objects{volume=\"/a\"}"] == "86");
  BOOST_TEST(samples["seawall_disk_out_of_service_total{volume=\"/b\"}"] == "87");
  BOOST_TEST(samples["seawall_disk_volume_state{volume=\"/a\",state=\"in-service\"}"] == "1");
  BOOST_TEST(samples["seawall_disk_volume_state{volume=\"/b\",state=\"in-service\"}"] == "0");
  BOOST_TEST(samples["seawall_disk_volume_state{volume=\"/b\",state=\"out-of-service\"}"] == "1");
  BOOST_TEST(samples["seawall_disk_read_backend{volume=\"/a\",backend=\"threads\"}"] == "0");
  BOOST_TEST(samples["seawall_disk_read_backend{volume=\"/a\",backend=\"io_uring\"}"] == "1");
  BOOST_TEST(samples["seawall_disk_read_backend{volume=\"/b\",backend=\"threads\"}"] == "1");
  server.disk = {};
  BOOST_TEST(metrics_text(server, {}, {}, Format::kText).find("seawall_disk") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_the_server) {
  ServerView server = some_server();
  server.is_draining = true;
  server.last_reload_failed = true;
  auto samples = samples_of(metrics_text(server, {}, {}, Format::kText));
  BOOST_TEST(samples["seawall_ready"] == "0");
  BOOST_TEST(samples["seawall_config_last_reload_successful"] == "0");
}

BOOST_AUTO_TEST_CASE(the_process_is_among_them) {
  auto samples = samples_of(metrics_text(some_server(), {}, {}, Format::kText));
  const double before = std::stod(samples["process_open_fds"]);
  BOOST_TEST(before >= 3);
  BOOST_TEST(std::stod(samples["process_resident_memory_bytes"]) > 1e6);
  BOOST_TEST(std::stod(samples["process_cpu_seconds_total"]) > 0);
  const std::ifstream one("/dev/null");
  const std::ifstream two("/dev/null");
  samples = samples_of(metrics_text(some_server(), {}, {}, Format::kText));
  BOOST_TEST(std::stod(samples["process_open_fds"]) == before + 2);
}

BOOST_AUTO_TEST_CASE(every_family_is_told_once_with_help_and_type) {
  std::set<std::string> families;
  std::string family;
  std::string help;
  std::istringstream lines(exposition(Format::kText));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      help = line.substr(7, line.find(' ', 7) - 7);
      BOOST_TEST(line.size() > 7 + help.size() + 10, line);
      BOOST_TEST(line.ends_with('.'), line);
    } else if (line.starts_with("# TYPE ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      BOOST_TEST(help == family);
      BOOST_TEST(families.insert(family).second, line);
    } else {
      BOOST_TEST(line.starts_with(family), line);
    }
  }
  BOOST_TEST(families.size() > 50U);
}

BOOST_AUTO_TEST_CASE(routes_of_one_name_share_what_is_counted) {
  RouteView other = route_named("r");
  other.path = "/other";
  const auto count = [](const std::string& text) {
    std::size_t n = 0;
    for (std::size_t at = 0; (at = text.find("seawall_stale_served_total{", at)) != std::string::npos; ++at) ++n;
    return n;
  };
  BOOST_TEST(count(metrics_text(some_server(), {route_named("r"), other}, {}, Format::kText)) == 1U);
  BOOST_TEST(count(metrics_text(some_server(), {route_named("r"), route_named("s")}, {}, Format::kText)) == 2U);
}

BOOST_AUTO_TEST_CASE(the_format_is_what_accept_prefers) {
  struct Row {
    std::vector<const char*> accept;
    bool is_open_metrics;
  };
  const std::vector<Row> rows = {
      {{}, false},
      {{"*/*"}, false},
      {{""}, false},
      {{"text/plain"}, false},
      {{"application/openmetrics-text"}, true},
      {{"Application/OpenMetrics-Text; Version=1.0.0"}, true},
      {{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"},
       true},
      {{"text/plain;q=0.5", "application/openmetrics-text;q=0.6"}, true},
      {{"application/openmetrics-text;q=0.5", "text/plain;q=0.5"}, true},
      {{"application/openmetrics-text; q=0.4 , text/plain; q=0.5"}, false},
      {{"application/openmetrics-text;q=0"}, false},
      {{"application/openmetrics-text;q=x"}, false},
      {{"application/openmetrics-text;q=2"}, false},
      {{"application/openmetrics-text;q="}, false},
      {{"application/openmetrics-text;"}, true},
      {{"application/openmetrics-texts"}, false},
  };
  for (const Row& row : rows) {
    http::HeaderMap headers;
    std::string all;
    for (const char* value : row.accept) {
      headers.add("Accept", value);
      all += std::string(value) + " | ";
    }
    BOOST_TEST((wanted_format(headers) == Format::kOpenMetrics) == row.is_open_metrics, all);
  }
}

BOOST_AUTO_TEST_CASE(promtool_has_nothing_to_say, *boost::unit_test::precondition(is_promtool_installed)) {
  const test::TemporaryDirectory directory;
  std::ofstream(directory.path("metrics"), std::ios::binary) << exposition(Format::kText);
  const Outcome outcome = run("promtool check metrics <" + directory.path("metrics"));
  BOOST_TEST(outcome.code == 0, outcome.output);
  BOOST_TEST(outcome.output.empty(), outcome.output);
}

// promtool reads OpenMetrics only as a history to import, whose samples have times.
BOOST_AUTO_TEST_CASE(promtool_reads_open_metrics, *boost::unit_test::precondition(is_promtool_installed)) {
  const test::TemporaryDirectory directory;
  std::istringstream lines(exposition(Format::kOpenMetrics));
  std::ofstream timed(directory.path("metrics"), std::ios::binary);
  for (std::string line; std::getline(lines, line);) timed << line << (line.starts_with('#') ? "\n" : " 1700000000\n");
  timed.close();
  const Outcome outcome =
      run("promtool tsdb create-blocks-from openmetrics " + directory.path("metrics") + " " + directory.path("data"));
  BOOST_TEST(outcome.code == 0, outcome.output);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::admin
