#include "config/entry_words.h"

#include <sys/un.h>

#include <algorithm>

namespace seawall::config {

std::string_view take_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
  rest.remove_prefix(word.size());
  return word;
}

bool is_socket_path(std::string_view path) {
  return !path.empty() && path.size() < sizeof(sockaddr_un::sun_path) && path.find('\0') == std::string_view::npos;
}

}  // namespace seawall::config
