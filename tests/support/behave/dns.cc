#include "support/behave/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "support/behave/socket.h"

namespace seawall::behave {
namespace {

constexpr std::uint16_t kA = 1;
constexpr std::uint16_t kCname = 5;
constexpr std::uint16_t kAaaa = 28;
constexpr std::uint16_t kSrv = 33;
constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kUdpBytes = 512;
constexpr std::uint16_t kAnswerFlags = 0x8580;  // an authoritative answer; recursion asked for and available
constexpr std::uint16_t kTruncated = 0x0200;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

void put16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8 & 0xff);
  out += static_cast<char>(value & 0xff);
}

unsigned get16(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned>(static_cast<unsigned char>(bytes[at])) << 8 | static_cast<unsigned char>(bytes[at + 1]);
}

std::string name_bytes(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out += static_cast<char>(label.size());
    out += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  return out + '\0';
}

std::string record(std::string_view owner, std::uint16_t type, std::uint32_t ttl, std::string_view data) {
  std::string out = name_bytes(owner);
  put16(out, type);
  put16(out, 1);
  put16(out, ttl >> 16);
  put16(out, ttl & 0xffff);
  put16(out, static_cast<unsigned>(data.size()));
  return out.append(data);
}

std::vector<std::string> ip_bytes(int family, const std::vector<std::string>& ips) {
  std::vector<std::string> out;
  for (const std::string& ip : ips) {
    std::array<char, 16> bytes{};
    if (::inet_pton(family, ip.c_str(), bytes.data()) != 1) throw Failure("not an address: " + ip);
    out.emplace_back(bytes.data(), family == AF_INET ? 4 : 16);
  }
  return out;
}

Fd bind_udp(std::uint16_t port) {
  Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.close();
  return fd;
}

}  // namespace

Dns::Dns() {
  // The kernel chooses a port for TCP; another program may have the same one for UDP.
  for (int tries = 0; tries < 20 && !udp_; ++tries) {
    listener_ = listen_on_loopback(port_);
    udp_ = bind_udp(port_);
  }
  if (!udp_) throw Failure("no port that is free for UDP and TCP");
  thread_ = std::thread([this] { serve(); });
}

Dns::~Dns() {
  stopping_ = true;
  thread_.join();
}

void Dns::a(std::string_view name, const std::vector<std::string>& ips, std::uint32_t ttl) {
  set(name, kA, {.data = ip_bytes(AF_INET, ips), .ttl = ttl});
}

void Dns::aaaa(std::string_view name, const std::vector<std::string>& ips, std::uint32_t ttl) {
  set(name, kAaaa, {.data = ip_bytes(AF_INET6, ips), .ttl = ttl});
}

void Dns::srv(std::string_view name, const std::vector<Srv>& records, std::uint32_t ttl) {
  Records all{.data = {}, .ttl = ttl};
  for (const Srv& srv : records) {
    std::string data;
    put16(data, srv.priority);
    put16(data, srv.weight);
    put16(data, srv.port);
    all.data.push_back(data + name_bytes(srv.target));
  }
  set(name, kSrv, std::move(all));
}

void Dns::alias(std::string_view name, std::string_view target, std::uint32_t ttl) {
  set(name, kCname, {.data = {std::string(target)}, .ttl = ttl});
}

void Dns::fail(std::string_view name, Fault fault) {
  for (const std::uint16_t type : {kA, kAaaa, kSrv}) set_fault(name, type, fault);
}

void Dns::fail_a(std::string_view name, Fault fault) {
  set_fault(name, kA, fault);
}

void Dns::fail_aaaa(std::string_view name, Fault fault) {
  set_fault(name, kAaaa, fault);
}

void Dns::set_fault(std::string_view name, std::uint16_t type, Fault fault) {
  set(name, type, {.data = {}, .is_faulty = true, .fault = fault});
}

void Dns::set(std::string_view name, std::uint16_t type, Records records) {
  const std::lock_guard lock(mutex_);
  const std::string key = lower(name);
  if (!records.is_faulty) {
    std::erase_if(records_, [&](const auto& entry) { return entry.first.first == key && entry.second.is_faulty; });
  }
  records_[{key, type}] = std::move(records);
}

std::size_t Dns::count(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(lower(name));
  return found == counts_.end() ? 0 : found->second;
}

void Dns::serve() {
  while (!stopping_) {
    std::array<pollfd, 2> entries{pollfd{udp_.get(), POLLIN, 0}, pollfd{listener_.get(), POLLIN, 0}};
    if (::poll(entries.data(), entries.size(), 20) <= 0) continue;
    if (entries[0].revents != 0) serve_udp();
    if (entries[1].revents != 0) serve_tcp();
  }
}

void Dns::serve_udp() {
  std::array<char, 4096> buffer{};
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  auto* from = reinterpret_cast<sockaddr*>(&peer);
  const ssize_t n = ::recvfrom(udp_.get(), buffer.data(), buffer.size(), 0, from, &size);
  if (n <= 0) return;
  const std::string_view query(buffer.data(), static_cast<std::size_t>(n));
  std::string out = answer(query);
  if (out.empty()) return;
  Question question;
  if (out.size() > kUdpBytes && parse(query, question)) {
    out.clear();
    put16(out, question.id);
    put16(out, kAnswerFlags | kTruncated);
    for (const unsigned records : {1U, 0U, 0U, 0U}) put16(out, records);
    out += question.bytes;
  }
  ::sendto(udp_.get(), out.data(), out.size(), 0, from, size);
}

// One question a connection, and while it lasts no other: whoever comes by TCP asks at once.
void Dns::serve_tcp() {
  const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  ++asked_over_tcp_;
  Socket socket{Fd(fd)};
  std::string in;
  while (in.size() < 2 || in.size() < 2 + get16(in, 0)) {
    if (socket.receive(in) != Socket::Read::kBytes) return;
  }
  const std::string out = answer(std::string_view(in).substr(2, get16(in, 0)));
  std::string framed;
  put16(framed, static_cast<unsigned>(out.size()));
  socket.send(framed + out);
}

bool Dns::parse(std::string_view query, Question& question) {
  if (query.size() < kHeaderBytes) return false;
  question.id = static_cast<std::uint16_t>(get16(query, 0));
  std::size_t at = kHeaderBytes;
  while (at < query.size() && query[at] != '\0') {
    const auto length = static_cast<std::size_t>(static_cast<unsigned char>(query[at]));
    if (at + 1 + length >= query.size()) return false;
    if (!question.name.empty()) question.name += '.';
    question.name += lower(query.substr(at + 1, length));
    at += 1 + length;
  }
  if (at + 5 > query.size()) return false;
  question.type = static_cast<std::uint16_t>(get16(query, at + 1));
  question.bytes = query.substr(kHeaderBytes, at + 5 - kHeaderBytes);
  return true;
}

std::string Dns::records_of(const std::string& name, std::uint16_t type, std::uint16_t& count) const {
  std::string out;
  std::string owner = name;
  if (const auto alias = records_.find({name, kCname}); alias != records_.end()) {
    owner = lower(alias->second.data.front());
    out += record(name, kCname, alias->second.ttl, name_bytes(owner));
    ++count;
  }
  const auto found = records_.find({owner, type});
  if (found == records_.end()) return out;
  for (const std::string& data : found->second.data) {
    out += record(owner, type, found->second.ttl, data);
    ++count;
  }
  return out;
}

std::string Dns::answer(std::string_view query) {
  Question question;
  if (!parse(query, question)) return {};
  const std::lock_guard lock(mutex_);
  ++counts_[question.name];
  unsigned flags = kAnswerFlags;
  std::uint16_t count = 0;
  std::string body;
  const auto found = records_.find({question.name, question.type});
  if (found != records_.end() && found->second.is_faulty) {
    switch (found->second.fault) {
      case Fault::kSilent: return {};
      case Fault::kNxDomain: flags |= 3; break;
      case Fault::kServFail: flags |= 2; break;
      case Fault::kRefused: flags |= 5; break;
      case Fault::kGarbage:
        // Announces a record that is not there.
        count = 1;
        break;
    }
  } else {
    body = records_of(question.name, question.type, count);
    const auto named = [&](const auto& entry) { return entry.first.first == question.name; };
    if (std::none_of(records_.begin(), records_.end(), named)) flags |= 3;
  }
  std::string out;
  put16(out, question.id);
  put16(out, flags);
  for (const unsigned records : {1U, static_cast<unsigned>(count), 0U, 0U}) put16(out, records);
  return out + question.bytes + body;
}

}  // namespace seawall::behave
