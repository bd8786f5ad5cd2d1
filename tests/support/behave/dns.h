// A scripted name server on a port of its own, over UDP and, for answers past 512 bytes, TCP: it counts the questions
// and answers as the test says at that moment. Names compare without case; one that nobody spoke of does not exist.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.h"

namespace seawall::behave {

class Dns {
 public:
  struct Srv {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    std::string target;  // "" for the root
  };
  enum class Fault { kNxDomain, kServFail, kRefused, kSilent, kGarbage };

  Dns();
  ~Dns();
  Dns(const Dns&) = delete;
  Dns& operator=(const Dns&) = delete;

  // Each sets the records of one type from now on; a name with records of other types only has no data of this one.
  void a(std::string_view name, const std::vector<std::string>& ips, std::uint32_t ttl = 60);
  void aaaa(std::string_view name, const std::vector<std::string>& ips, std::uint32_t ttl = 60);
  void srv(std::string_view name, const std::vector<Srv>& records, std::uint32_t ttl = 60);
  // An alias, with the records of its target behind it.
  void alias(std::string_view name, std::string_view target, std::uint32_t ttl = 60);
  // For all types, or only one of them, whose records are forgotten; ends when records of the name are set.
  void fail(std::string_view name, Fault fault);
  void fail_a(std::string_view name, Fault fault);
  void fail_aaaa(std::string_view name, Fault fault);

  std::uint16_t port() const { return port_; }
  std::string authority() const { return "127.0.0.1:" + std::to_string(port_); }
  // Questions for the name, of all types: a lookup of addresses asks two.
  std::size_t count(std::string_view name) const;
  std::size_t asked_over_tcp() const { return asked_over_tcp_; }

 private:
  struct Records {
    std::vector<std::string> data;  // each as on the wire
    std::uint32_t ttl = 0;
    bool is_faulty = false;
    Fault fault = Fault::kNxDomain;
  };
  struct Question {
    std::string name;   // lower case
    std::string bytes;  // as asked
    std::uint16_t id = 0;
    std::uint16_t type = 0;
  };

  void serve();
  void serve_udp();
  void serve_tcp();
  void set(std::string_view name, std::uint16_t type, Records records);
  void set_fault(std::string_view name, std::uint16_t type, Fault fault);
  // Empty: silence. Counts the question.
  std::string answer(std::string_view query);
  std::string records_of(const std::string& name, std::uint16_t type, std::uint16_t& count) const;
  static bool parse(std::string_view query, Question& question);

  std::uint16_t port_ = 0;  // before listener_, whose making sets it
  Fd listener_;
  Fd udp_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::size_t> asked_over_tcp_ = 0;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::uint16_t>, Records> records_;  // by name and type
  std::map<std::string, std::size_t, std::less<>> counts_;
  std::thread thread_;
};

}  // namespace seawall::behave
