#include "server/client_commands.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/fd.h"
#include "config/admin_socket.h"
#include "config/diagnostics.h"
#include "http/message.h"
#include "http/uri.h"

namespace seawall::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kBatchUrls = 500;
constexpr std::size_t kBatchBytes = std::size_t{512} << 10;  // long URLs make smaller batches
constexpr std::size_t kMaxUrlBytes = std::size_t{8} << 10;
constexpr std::size_t kMaxListBytes = std::size_t{256} << 20;
constexpr Millis kPoll{500};
// A server that gets nothing done for so long is not waited for.
constexpr std::chrono::minutes kMaxStall{10};
constexpr std::string_view kQueueFull = "queue-full";

void complain(const Terminal& terminal, std::string_view text) {
  terminal.complain(fmt::format("seawall: {}\n", text));
}

int fail(const Terminal& terminal, std::string_view text) {
  complain(terminal, text);
  return 1;
}

std::string counted(std::uint64_t n, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

// What comes from elsewhere must not act on the terminal.
std::string printable(std::string text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  std::ranges::replace_if(text, is_control, '?');
  return text;
}

std::expected<AdminAddress, std::string> admin_of(const std::optional<std::string>& flag) {
  return AdminAddress::parse(flag ? *flag : "unix:" + config::default_admin_socket());
}

bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(Json(text).dump());
  } catch (const Json::exception&) {
    return false;
  }
  return true;
}

// Makes it absolute, or says what is wrong with it.
std::optional<std::string> complete_url(std::string& url, const std::optional<std::string>& host) {
  if (host && url.starts_with('/')) url = "http://" + *host + url;
  if (http::parse_absolute_uri(url)) return std::nullopt;
  std::string problem =
      fmt::format("a URL must be absolute, such as \"http://host/path\", not {}\nhint: ", config::quote(url));
  if (url.starts_with('/')) return problem + "give its host with --host HOST";
  if (url.starts_with("http://") || url.starts_with("https://"))
    return problem + "check its host and port; spaces and letters that are not ASCII are written as %XX";
  const std::string with_scheme = "http://" + url;
  if (url.find("://") == std::string::npos && http::parse_absolute_uri(with_scheme))
    return problem + fmt::format("did you mean {}?", config::quote(with_scheme));
  return problem + "begin it with http:// or https://";
}

std::optional<Json> parse_object(const AdminResponse& response) {
  Json json = Json::parse(response.body, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

std::uint64_t number_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Of a problem document (RFC 9457), else of the status.
std::string problem_of(const AdminResponse& response) {
  if (const auto json = parse_object(response)) {
    for (const char* key : {"detail", "title"}) {
      if (const std::string text = text_of(*json, key); !text.empty()) return printable(text);
    }
  }
  return fmt::format("the admin interface answered {} {}", response.status, http::reason_phrase(response.status));
}

// The object that a request is answered with.
std::expected<Json, std::string> ask(AdminClient& client, std::string_view method, std::string_view target,
                                     std::string_view type, std::string_view body) {
  http::HeaderMap headers;
  headers.add(http::Field::kUserAgent, "seawall/" SEAWALL_VERSION);
  headers.add(http::Field::kAccept, "application/json");
  if (!type.empty()) headers.add(http::Field::kContentType, type);
  const auto response = client.request(method, target, headers, body);
  if (!response) return std::unexpected(response.error());
  if (response->status / 100 != 2) return std::unexpected(problem_of(*response));
  auto json = parse_object(*response);
  if (!json) {
    return std::unexpected(
        fmt::format("the answer to {} {} is not a JSON object; is --admin the admin interface of seawall?", method,
                    target.substr(0, target.find('?'))));
  }
  return std::move(*json);
}

// "3 stored responses": every count of the answer that is not 0, in its order.
std::string counts_text(const Json& answer) {
  struct Name {
    std::string_view key;
    std::string_view one;
    std::string_view many;
  };
  static constexpr std::array<Name, 2> kNames = {
      {{"urls", "stored response", "stored responses"},
       {"rules", "rule for tags and prefixes", "rules for tags and prefixes"}}};
  std::string text;
  for (const auto& [key, value] : answer.items()) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0) continue;
    const auto* const known = std::ranges::find(kNames, key, &Name::key);
    const bool is_known = known != kNames.end();
    const std::string name = is_known ? std::string() : printable(key);
    if (!text.empty()) text += ", ";
    text += counted(value.get<std::uint64_t>(), is_known ? known->one : name, is_known ? known->many : name);
  }
  return text.empty() ? "nothing" : text;
}

// How far it is, on a terminal as a bar that is drawn again, else as a line for every tenth.
class Progress {
 public:
  Progress(const Terminal& terminal, bool is_quiet, std::uint64_t total)
      : terminal_(terminal), is_quiet_(is_quiet), total_(total), begin_(terminal.clock->mono_now()) {}

  void show(std::uint64_t finished) {
    if (is_quiet_ || total_ == 0) return;
    finished = std::min(finished, total_);
    const std::string pace = pace_text(finished, total_, terminal_.clock->mono_now() - begin_);
    if (terminal_.is_interactive) {
      const std::string done(finished * kWidth / total_, '#');
      bar_ = fmt::format("[{:-<{}}] {:3}% {}/{}  {}", done, kWidth, finished * 100 / total_, finished, total_, pace);
      terminal_.complain("\r" + bar_ + "\x1b[K");
    } else if (const std::uint64_t tenths = finished * 10 / total_; tenths > tenths_) {
      tenths_ = tenths;
      terminal_.complain(fmt::format("{}0%: {} of {} URLs, {}\n", tenths, finished, total_, pace));
    }
  }

  // A line of its own, above the bar.
  void complain(std::string_view line) {
    terminal_.complain(bar_.empty() ? fmt::format("seawall: {}\n", line)
                                    : fmt::format("\r\x1b[Kseawall: {}\n{}", line, bar_));
  }

  // Leaves the bar where it is.
  void close() {
    if (!bar_.empty()) terminal_.complain("\n");
    bar_.clear();
  }

 private:
  static constexpr std::size_t kWidth = 30;

  const Terminal& terminal_;
  bool is_quiet_;
  std::uint64_t total_;
  MonoTime begin_;
  std::uint64_t tenths_ = 0;
  std::string bar_;  // as it stands on the terminal; empty: it does not
};

// Hands the URLs over, batch by batch, and waits until all are filled or have failed.
class Warming {
 public:
  Warming(const WarmCommand& command, const Terminal& terminal, const std::vector<std::string_view>& urls)
      : terminal_(terminal),
        client_(command.admin),
        urls_(urls),
        progress_(terminal, command.is_quiet, urls.size()),
        last_change_(terminal.clock->mono_now()) {}

  std::expected<void, std::string> run() {
    auto outcome = work();
    progress_.close();
    return outcome;
  }

  std::uint64_t failed() const {
    const std::uint64_t ended = state_.done + state_.failed;
    // What the server has accepted and lost sight of is not filled.
    return refused_ + state_.failed + (accepted_ > ended ? accepted_ - ended : 0);
  }

  std::string summary() const {
    std::string text =
        fmt::format("{}: {} filled, {} already cached", counted(urls_.size(), "URL", "URLs"), state_.done, cached_);
    if (duplicates_ > 0) text += ", " + counted(duplicates_, "duplicate", "duplicates");
    return text + fmt::format(", {} failed", failed());
  }

 private:
  struct JobState {
    std::uint64_t waiting = 0;
    std::uint64_t running = 0;
    std::uint64_t done = 0;
    std::uint64_t failed = 0;
  };

  std::expected<void, std::string> work() {
    while (next_ < urls_.size() || !again_.empty()) {
      if (auto sent = send_batch(); !sent) return sent;
      if (auto seen = look(); !seen) return seen;
      if (again_.empty()) continue;
      // Until half of what waits of this job has been taken, so that a batch finds room.
      const std::uint64_t enough = state_.waiting / 2;
      do {
        terminal_.pause(kPoll);
        if (auto seen = look(); !seen) return seen;
      } while (state_.waiting > enough);
    }
    while (state_.waiting + state_.running > 0) {
      terminal_.pause(kPoll);
      if (auto seen = look(); !seen) return seen;
    }
    return {};
  }

  // First what was refused, then what follows in the list.
  std::expected<void, std::string> send_batch() {
    std::string body;
    std::size_t size = 0;
    for (const std::string& url : std::exchange(again_, {})) {
      body.append(url).append("\n");
      ++size;
    }
    for (; next_ < urls_.size() && size < kBatchUrls && body.size() < kBatchBytes; ++next_, ++size)
      body.append(urls_[next_]).append("\n");
    const std::string target = job_ ? fmt::format("/v1/fills?job={}", *job_) : "/v1/fills";
    const auto answer = ask(client_, "POST", target, "text/plain", body);
    if (!answer) return std::unexpected(answer.error());
    if (!job_ && answer->contains("job")) job_ = number_of(*answer, "job");
    accepted_ += number_of(*answer, "accepted");
    duplicates_ += number_of(*answer, "duplicate");
    cached_ += number_of(*answer, "cached");
    if (accepted_ > 0 && !job_) return std::unexpected("the answer to POST /v1/fills names no job");
    const auto refused = answer->find("refused");
    if (refused == answer->end() || !refused->is_array()) return {};
    if (refused->size() > size) return std::unexpected("the answer to POST /v1/fills refuses more than it was asked");
    for (const Json& one : *refused) take_refused(text_of(one, "url"), text_of(one, "reason"));
    return {};
  }

  void take_refused(std::string url, const std::string& reason) {
    if (reason == kQueueFull && !url.empty() && url.find('\n') == std::string::npos) {
      again_.push_back(std::move(url));
      return;
    }
    ++refused_;
    progress_.complain(fmt::format("{}: {}", config::quote(url), printable(reason)));
  }

  std::expected<void, std::string> look() {
    if (job_) {
      const auto answer = ask(client_, "GET", fmt::format("/v1/fills/{}", *job_), "", "");
      if (!answer) return std::unexpected(answer.error());
      state_ = {.waiting = number_of(*answer, "waiting"),
                .running = number_of(*answer, "running"),
                .done = number_of(*answer, "done"),
                .failed = number_of(*answer, "failed")};
    }
    const std::uint64_t finished = cached_ + duplicates_ + refused_ + state_.done + state_.failed;
    progress_.show(finished);
    const MonoTime now = terminal_.clock->mono_now();
    if (const std::uint64_t sum = finished + accepted_; sum != last_sum_) {
      last_sum_ = sum;
      last_change_ = now;
    }
    if (now - last_change_ < kMaxStall) return {};
    return std::unexpected(
        fmt::format("nothing has been filled for {} minutes: {} of {} URLs are left\nhint: see the log of seawall for "
                    "what its origins do, then try again",
                    kMaxStall.count(), urls_.size() - std::min<std::uint64_t>(finished, urls_.size()), urls_.size()));
  }

  const Terminal& terminal_;
  AdminClient client_;
  const std::vector<std::string_view>& urls_;
  Progress progress_;
  std::size_t next_ = 0;            // the first URL that has not been sent
  std::vector<std::string> again_;  // refused by a full queue; at most a batch
  std::optional<std::uint64_t> job_;
  JobState state_;
  std::uint64_t accepted_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t cached_ = 0;
  std::uint64_t refused_ = 0;  // for good
  std::uint64_t last_sum_ = 0;
  MonoTime last_change_;
};

std::expected<std::string, std::string> read_list(const std::string& file, int input) {
  Fd opened;
  if (file != "-") {
    opened = Fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened) return std::unexpected(fmt::format("cannot read {}: {}", file, std::strerror(errno)));
    input = opened.get();
  }
  constexpr std::size_t kBlock = std::size_t{64} << 10;
  std::string text;
  while (text.size() <= kMaxListBytes) {
    const std::size_t had = text.size();
    text.resize(had + kBlock);
    const ssize_t n = ::read(input, text.data() + had, kBlock);
    const int error = errno;
    text.resize(had + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n == 0) return text;
    if (n < 0 && error != EINTR) return std::unexpected(fmt::format("cannot read {}: {}", file, std::strerror(error)));
  }
  return std::unexpected(
      fmt::format("{} is longer than {} MiB\nhint: split it into several lists", file, kMaxListBytes >> 20));
}

// The URLs, in `text`; what is none is reported and counted.
std::vector<std::string_view> urls_of(std::string_view text, const std::string& file, const Terminal& terminal,
                                      std::size_t& bad_lines) {
  constexpr std::string_view kSpace = " \t\r";
  std::vector<std::string_view> urls;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(kSpace), line.size()));
    line = line.substr(0, line.find_last_not_of(kSpace) + 1);
    if (line.empty() || line.starts_with('#')) continue;
    if (line.size() <= kMaxUrlBytes && http::parse_absolute_uri(line)) {
      urls.push_back(line);
      continue;
    }
    ++bad_lines;
    complain(terminal, fmt::format("{}:{}: {}, not {}", file == "-" ? "standard input" : file, number,
                                   line.size() > kMaxUrlBytes ? "a URL has at most 8 KiB"
                                                              : "a URL must be absolute, such as \"http://host/path\"",
                                   config::quote(line)));
  }
  return urls;
}

// "1:05", "2:00:00".
std::string clock_text(std::uint64_t seconds) {
  const std::string tail = fmt::format("{:02}", seconds % 60);
  if (seconds < 3600) return fmt::format("{}:{}", seconds / 60, tail);
  return fmt::format("{}:{:02}:{}", seconds / 3600, seconds / 60 % 60, tail);
}

}  // namespace

std::expected<PurgeCommand, std::string> purge_command(PurgeFlags flags) {
  auto admin = admin_of(flags.admin);
  if (!admin) return std::unexpected(std::move(admin.error()));
  if (flags.host && !http::normalise_authority(*flags.host, "http")) {
    return std::unexpected(fmt::format("--host must be \"host\" or \"host:port\", not {}", config::quote(*flags.host)));
  }
  if (flags.urls.empty() && flags.tags.empty() && flags.prefixes.empty()) {
    return std::unexpected(
        "nothing to purge\nhint: seawall purge http://host/path, or --tag TAG, or --prefix http://host/path/");
  }
  for (auto* list : {&flags.urls, &flags.prefixes}) {
    for (std::string& url : *list) {
      if (auto problem = complete_url(url, flags.host)) return std::unexpected(std::move(*problem));
    }
  }
  for (const std::string& tag : flags.tags) {
    if (tag.empty() || !is_utf8(tag))
      return std::unexpected(fmt::format("--tag must be a text in UTF-8, not {}", config::quote(tag)));
  }
  return PurgeCommand{.admin = std::move(*admin),
                      .urls = std::move(flags.urls),
                      .tags = std::move(flags.tags),
                      .prefixes = std::move(flags.prefixes),
                      .is_soft = flags.is_soft};
}

std::expected<WarmCommand, std::string> warm_command(WarmFlags flags) {
  auto admin = admin_of(flags.admin);
  if (!admin) return std::unexpected(std::move(admin.error()));
  if (!flags.file)
    return std::unexpected("a list of URLs is missing\nhint: seawall warm FILE, or - for standard input");
  return WarmCommand{.admin = std::move(*admin), .file = std::move(*flags.file), .is_quiet = flags.is_quiet};
}

Terminal process_terminal() {
  static const SystemClock clock;
  return {.input = STDIN_FILENO,
          .print = [](std::string_view text) { fmt::print("{}", text); },
          .complain = [](std::string_view text) { fmt::print(stderr, "{}", text); },
          .is_interactive = ::isatty(STDERR_FILENO) == 1,
          .clock = &clock,
          .pause = [](Millis time) { std::this_thread::sleep_for(time); }};
}

int run_purge(const PurgeCommand& command, const Terminal& terminal) {
  AdminClient client(command.admin);
  const Json body = {
      {"urls", command.urls}, {"tags", command.tags}, {"prefixes", command.prefixes}, {"soft", command.is_soft}};
  const auto answer = ask(client, "POST", "/v1/purge", "application/json", body.dump());
  if (!answer) return fail(terminal, answer.error());
  terminal.print(fmt::format("{}: {}\n", command.is_soft ? "purged softly" : "purged", counts_text(*answer)));
  if (const auto durable = answer->find("durable"); durable != answer->end() && *durable == false) {
    terminal.complain(
        "warning: the disk did not write it down in time; it is in force, but a crash may undo it\n"
        "hint: purge again when the disk is well; /v1/disk and the server's log tell how it is\n");
  }
  return 0;
}

int run_warm(const WarmCommand& command, const Terminal& terminal) {
  const auto text = read_list(command.file, terminal.input);
  if (!text) return fail(terminal, text.error());
  std::size_t bad_lines = 0;
  const std::vector<std::string_view> urls = urls_of(*text, command.file, terminal, bad_lines);
  Warming warming(command, terminal, urls);
  if (const auto worked = warming.run(); !worked) return fail(terminal, worked.error());
  if (!command.is_quiet) {
    const std::string bad = bad_lines > 0 ? "; " + counted(bad_lines, "bad line", "bad lines") : "";
    terminal.print(fmt::format("{}{}\n", warming.summary(), bad));
  }
  return warming.failed() == 0 && bad_lines == 0 ? 0 : 1;
}

std::string pace_text(std::uint64_t finished, std::uint64_t total, std::chrono::microseconds elapsed) {
  constexpr double kMostSeconds = 100 * 3600;
  const double rate =
      elapsed.count() > 0 ? static_cast<double>(finished) * 1e6 / static_cast<double>(elapsed.count()) : 0;
  const double left = rate > 0 ? static_cast<double>(total - finished) / rate : kMostSeconds;
  const std::string eta = left < kMostSeconds ? clock_text(static_cast<std::uint64_t>(std::llround(left))) : "-";
  if (rate <= 0) return fmt::format("-/s, ETA {}", eta);
  return fmt::format("{:.{}f}/s, ETA {}", rate, rate < 10 ? 1 : 0, eta);
}

}  // namespace seawall::server
