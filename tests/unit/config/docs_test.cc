// The manual, the example file and the README say what the code does. Runs in the root of the sources.
#include <toml++/toml.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>
#include <sstream>

#include "policy/why.h"
#include "server/cli.h"
#include "support/test_certificates.h"
#include "unit/config/support.h"

namespace seawall::config {
namespace {

BOOST_AUTO_TEST_SUITE(config_docs)

std::string read(const std::string& path) {
  std::ifstream stream(path);
  BOOST_REQUIRE_MESSAGE(stream.good(), path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Every line "#key = ..." and "#[[route]]" without its "#".
std::string uncommented(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > 1 && line[0] == '#' && line[1] != ' ') line.erase(0, 1);
    out += line + "\n";
  }
  return out;
}

std::string with_dq(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '"' ? std::string("\\(dq") : std::string(1, c);
  return out;
}

BOOST_AUTO_TEST_CASE(the_example_file_holds_the_defaults) {
  const std::string text = read("conf/seawall.toml");
  const std::string defaults = dump(load_good("[[origin]]\nservers = [\"http://127.0.0.1:3000\"]"));
  BOOST_TEST(dump(load_good(text)) == defaults);
  BOOST_TEST(dump(load_good(uncommented(text))) == defaults);
}

BOOST_AUTO_TEST_CASE(the_example_file_names_every_key) {
  const std::string text = read("conf/seawall.toml");
  const toml::table table = toml::parse(uncommented(text));
  Config config;
  OriginConfig origin;
  RouteConfig route;
  const Draft defaults{.config = &config, .origin = &origin, .route = &route};
  for (const Directive& d : directives()) {
    BOOST_TEST_CONTEXT(d.path) {
      const std::string section(d.section());
      const std::string path =
          is_array_section(section) ? section + "[0]." + std::string(d.key()) : std::string(d.path);
      const bool is_set = static_cast<bool>(table.at_path(path));
      // Without a default, or of no effect by itself: its line is an example, which shows the default if there is one.
      const std::string example = "\n# " + std::string(d.key()) + " = " + std::string(d.default_text);
      const bool is_example = text.find(example) != std::string::npos;
      BOOST_TEST((is_set || is_example));
      if (!d.default_text.empty() && why_moot(d, defaults).empty()) BOOST_TEST(is_set);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_manual_names_every_key_and_default) {
  const std::string page = read("man/seawall.toml.5");
  for (const std::string_view section : sections()) {
    const std::string head = is_array_section(section) ? "\n.Sh [[" + std::string(section) + "]]\n"
                                                       : "\n.Sh [" + std::string(section) + "]\n";
    const std::size_t begin = page.find(head);
    BOOST_REQUIRE_MESSAGE(begin != std::string::npos, head);
    const std::string part = page.substr(begin, page.find("\n.Sh ", begin + 1) - begin);
    for (const Directive& d : directives()) {
      if (d.section() != section) continue;
      BOOST_TEST_CONTEXT(d.path) {
        std::string item = "\n.It Li " + std::string(d.key()) + "\n";
        if (!d.default_text.empty()) item += "Default:\n.Li " + with_dq(d.default_text) + " .\n";
        const std::size_t at = part.find(item);
        BOOST_REQUIRE_MESSAGE(at != std::string::npos, item);
        // The choices stand before the next key.
        const std::string entry = part.substr(at, part.find("\n.It", at + 1) - at);
        for (const std::string_view choice : d.choices)
          BOOST_TEST(entry.find(with_dq("\"" + std::string(choice) + "\"")) != std::string::npos);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_manual_names_no_key_that_is_not_there) {
  std::istringstream lines(read("man/seawall.toml.5"));
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(".Sh [")) section = line.substr(line.rfind('[') + 1, line.find(']') - line.rfind('[') - 1);
    if (line.starts_with(".It Li "))
      BOOST_TEST(find_directive(section + "." + line.substr(7)) != nullptr, section << " " << line);
  }
}

BOOST_AUTO_TEST_CASE(the_manual_names_every_flag) {
  const std::string page = read("man/seawall.8");
  for (const char* command : {"serve", "check", "demo-origin", "purge", "warm", "disk check", "disk ls"}) {
    BOOST_TEST(page.find(std::string("\n.It Cm ") + command + "\n") != std::string::npos, command);
    std::istringstream words(command);
    std::vector<std::string> arguments{std::istream_iterator<std::string>(words), {}};
    arguments.emplace_back("--help");
    const auto help = server::parse_arguments(arguments);
    BOOST_REQUIRE(help);
    const std::string& text = std::get<server::PrintCommand>(*help).text;
    for (std::size_t at = text.find("--"); at != std::string::npos; at = text.find("--", at + 2)) {
      const std::string flag =
          text.substr(at + 2, text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at + 2) - at - 2);
      BOOST_TEST(page.find("Fl -" + flag) != std::string::npos, flag);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_readme_names_every_reason) {
  const std::string page = read("README.md");
  for (int i = 1; i <= static_cast<int>(policy::Why::kOverloaded); ++i) {
    const std::string reason = "`" + std::string(policy::to_string(static_cast<policy::Why>(i))) + "`";
    BOOST_TEST(page.find(reason) != std::string::npos, reason);
  }
}

// A copy of each file and folder that the text names with that path stands in the folder; the text with these names.
std::string with_files(std::string text, const Folder& folder) {
  const auto authority = test::TestCertificate::authority();
  const std::string ssl = "/etc/ssl/";
  for (std::size_t at = text.find(ssl); at != std::string::npos; at = text.find(ssl, at + folder.path().size())) {
    const std::size_t end = text.find_first_of("\" ", at);
    const std::string name = text.substr(at + ssl.size(), end - at - ssl.size());
    const std::string stem = name.substr(0, name.find('.'));
    // A certificate and its key are named side by side.
    if (!std::filesystem::exists(folder.path() + "/" + name)) {
      const auto certificate = authority.issue({.names = {stem + ".test"}});
      folder.write(name, certificate.chain_pem() + certificate.key_pem());
      folder.write(stem + ".key", certificate.key_pem());
    }
    text.replace(at, ssl.size(), folder.path() + "/");
  }
  const std::string acme = "/var/lib/acme";
  for (std::size_t at = text.find(acme); at != std::string::npos; at = text.find(acme, at + folder.path().size())) {
    const std::string behind = text.substr(at + acme.size(), text.find('"', at) - at - acme.size());
    std::filesystem::create_directories(folder.path() + behind);
    text.replace(at, acme.size(), folder.path());
  }
  return text;
}

// What is wrong with a file of the documents; what it names stands beside it.
std::string errors_of_example(const std::string& text) {
  const Folder folder;
  const std::string mark = "file = \"";
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
    const std::size_t begin = at + mark.size();
    folder.write(text.substr(begin, text.find('"', begin) - begin), "");
  }
  const auto loaded =
      load_file(folder.write("seawall.toml", with_files(text, folder)), environment_of({}), SystemClock());
  return loaded ? "" : to_string(loaded.error());
}

BOOST_AUTO_TEST_CASE(the_files_of_the_documents_load) {
  // Every TOML file of the README, and the examples of the manual.
  const std::string readme = read("README.md");
  std::size_t count = 0;
  for (std::size_t at = readme.find("```toml\n"); at != std::string::npos;
       at = readme.find("```toml\n", at + 1), ++count) {
    const std::size_t begin = at + 8;
    BOOST_TEST(errors_of_example(readme.substr(begin, readme.find("```", begin) - begin)) == "");
  }
  BOOST_TEST(count >= 1U);
  const std::string page = read("man/seawall.toml.5");
  const std::string mark = ".Bd -literal -offset indent\n";
  count = 0;
  for (std::size_t at = page.find(mark); at != std::string::npos; at = page.find(mark, at + 1), ++count) {
    const std::size_t begin = at + mark.size();
    BOOST_TEST(errors_of_example(page.substr(begin, page.find(".Ed", begin) - begin)) == "");
  }
  BOOST_TEST(count == 4U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::config
