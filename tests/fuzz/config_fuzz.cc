// A configuration from any bytes: it loads, and then its dump loads to the same, or it is refused with a place and a
// reason.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "config/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace seawall::config;
  const std::string text(reinterpret_cast<const char*>(data), size);
  // Would read files of this machine. An escape may hide the names.
  const auto has = [&](const char* word) { return text.find(word) != std::string::npos; };
  const bool names_tls_files = has("tls") && (has("certificate") || has("acme") || has("ca"));
  if (has("include") || (has("placeholder") && has("file")) || names_tls_files || has("\\u") || has("\\U")) return 0;
  const Environment environment = [](const std::string& name) {
    return name == "A" ? std::optional<std::string>("http://a.test") : std::nullopt;
  };
  const auto loaded = load_string("fuzz.toml", text, environment, seawall::SystemClock());
  if (!loaded) {
    SW_CHECK(!loaded.error().empty(), "refused without a reason");
    for (const Diagnostic& d : loaded.error()) {
      SW_CHECK(!d.message.empty(), "no message");
      SW_CHECK((d.line == 0) == (d.column == 0), "half a place");
      SW_CHECK(to_string(d).starts_with("fuzz.toml"), "no file");
    }
    return 0;
  }
  SW_CHECK(!loaded->origins.empty() && !loaded->routes.empty() && !loaded->listen.empty(),
           "loaded without what it needs");
  const std::string dumped = dump(*loaded);
  const auto again = load_string("dump.toml", dumped, environment, seawall::SystemClock());
  SW_CHECK(again.has_value(), "the dump is refused");
  SW_CHECK(dump(*again) == dumped, "the dump is another configuration");
  return 0;
}
