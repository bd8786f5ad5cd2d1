// The admin listener of a running seawall, as tests ask it: documents, single values of them, samples of the metrics.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {

// What a configuration needs for it.
inline constexpr std::string_view kAdminSection = "[admin]\nlisten = \"127.0.0.1:0\"\nsocket = \"off\"\n";

class Admin {
 public:
  explicit Admin(const Process& process);
  explicit Admin(const Seawall& seawall) : Admin(seawall.process()) {}

  std::uint16_t port() const { return port_; }
  Response request(std::string_view method, std::string_view target, const Lines& lines = {},
                   std::string_view body = {}) const;
  Response get(std::string_view target, const Lines& lines = {}) const { return request("GET", target, lines); }
  // What a JSON pointer finds in a resource: texts as they are, all else as JSON; "" when there is nothing.
  std::string value(std::string_view resource, std::string_view pointer) const;
  double number(std::string_view resource, std::string_view pointer) const;
  // The value of the sample that is written so in /metrics; 0 when there is none.
  double metric(std::string_view sample) const;
  // The sum of the samples that begin so: "seawall_x_total" or "seawall_x_total{kind=\"a\"".
  double total(std::string_view beginning) const;

 private:
  std::uint16_t port_;
};

}  // namespace seawall::behave
