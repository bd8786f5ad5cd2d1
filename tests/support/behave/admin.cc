#include "support/behave/admin.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace seawall::behave {
namespace {

std::uint16_t admin_port(const Process& process) {
  static constexpr std::string_view kMark = "admin on 127.0.0.1:";
  unsigned long port = 0;
  until([&] {
    const std::string output = process.output();
    const std::size_t at = output.find(kMark);
    // The whole line, lest the port be cut.
    if (at != std::string::npos && output.find('\n', at) != std::string::npos) {
      port = std::strtoul(output.c_str() + at + kMark.size(), nullptr, 10);
    }
    return port != 0;
  });
  if (port == 0 || port > 65535) {
    throw Failure("seawall did not say where its admin listener is:\n" + process.output());
  }
  return static_cast<std::uint16_t>(port);
}

}  // namespace

Admin::Admin(const Process& process) : port_(admin_port(process)) {}

Response Admin::request(std::string_view method, std::string_view target, const Lines& lines,
                        std::string_view body) const {
  Fields fields;
  for (const std::string& line : lines) fields.parse_line(line);
  Lines all = lines;
  if (!fields.has("Host")) all.push_back("Host: 127.0.0.1:" + std::to_string(port_));
  Client client(port_);
  return client.request(method, target, all, body);
}

std::string Admin::value(std::string_view resource, std::string_view pointer) const {
  const Response response = get(resource);
  const auto document = nlohmann::json::parse(response.body, nullptr, false);
  const nlohmann::json::json_pointer at{std::string(pointer)};
  if (response.status != 200 || document.is_discarded() || !document.contains(at)) return {};
  const nlohmann::json& found = document.at(at);
  return found.is_string() ? found.get<std::string>() : found.dump();
}

double Admin::number(std::string_view resource, std::string_view pointer) const {
  return std::strtod(value(resource, pointer).c_str(), nullptr);
}

double Admin::metric(std::string_view sample) const {
  const std::string text = get("/metrics").body;
  const std::string wanted = '\n' + std::string(sample) + ' ';
  const std::size_t at = text.find(wanted);
  return at == std::string::npos ? 0 : std::strtod(text.c_str() + at + wanted.size(), nullptr);
}

double Admin::total(std::string_view beginning) const {
  const std::string text = get("/metrics").body;
  const std::string wanted = '\n' + std::string(beginning);
  double sum = 0;
  for (std::size_t at = 0; (at = text.find(wanted, at)) != std::string::npos;) {
    at += wanted.size();
    // Label values here hold no spaces.
    sum += std::strtod(text.c_str() + text.find(' ', at), nullptr);
  }
  return sum;
}

}  // namespace seawall::behave
