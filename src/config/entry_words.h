// Entries of arrays that are words: what they are about, and parameters behind it. Pure. Thread: any.
#pragma once

#include <string_view>

namespace seawall::config {

// The next word, taken off `rest`; empty: there is none.
std::string_view take_word(std::string_view& rest);

// What the kernel takes as the name of a Unix socket.
bool is_socket_path(std::string_view path);

}  // namespace seawall::config
