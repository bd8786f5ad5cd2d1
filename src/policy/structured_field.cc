// The parsing algorithms of RFC 9651 section 4.2 over one cursor. Pure.
#include "policy/structured_field.h"

#include <algorithm>
#include <utility>

namespace seawall::policy {
namespace {

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_alpha(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_key_char(char c) {
  return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}
bool is_token_char(char c) {
  return is_alpha(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~:/").find(c) != std::string_view::npos;
}
bool is_base64_char(char c) {
  return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '=';
}
bool is_lower_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

// Every parse function is false on a syntax error, which ends the whole field.
class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  std::optional<std::vector<SfMember>> dictionary();

 private:
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip_spaces() {
    while (take(' ')) {
    }
  }
  void skip_ows() {
    while (take(' ') || take('\t')) {
    }
  }
  template <typename Predicate>
  std::string_view take_while(Predicate p) {
    const auto n = static_cast<std::size_t>(std::find_if_not(rest_.begin(), rest_.end(), p) - rest_.begin());
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }

  bool key(std::string& out);
  bool member_value(SfMember& out);
  bool inner_list();
  bool parameters();
  bool bare_item(SfMember& out);
  bool number(SfMember& out);
  bool quoted(std::string& out);
  bool display_string();
  bool date();

  std::string_view rest_;
};

std::optional<std::vector<SfMember>> Parser::dictionary() {
  std::vector<SfMember> members;
  skip_spaces();
  while (!rest_.empty()) {
    SfMember member;
    if (!key(member.key)) return std::nullopt;
    if (take('=') ? !member_value(member) : !parameters()) return std::nullopt;
    std::erase_if(members, [&](const SfMember& m) { return m.key == member.key; });
    members.push_back(std::move(member));
    skip_ows();
    if (rest_.empty()) break;
    if (!take(',')) return std::nullopt;
    skip_ows();
    if (rest_.empty()) return std::nullopt;  // a trailing comma
  }
  return members;
}

bool Parser::key(std::string& out) {
  if (!is_lower(peek()) && peek() != '*') return false;
  out = take_while(is_key_char);
  return true;
}

bool Parser::member_value(SfMember& out) {
  if (take('(')) {
    out.kind = SfMember::Kind::kOther;
    return inner_list();
  }
  return bare_item(out) && parameters();
}

bool Parser::inner_list() {
  for (;;) {
    skip_spaces();
    if (take(')')) return parameters();
    SfMember item;
    if (!bare_item(item) || !parameters()) return false;
    if (peek() != ' ' && peek() != ')') return false;
  }
}

bool Parser::parameters() {
  while (take(';')) {
    skip_spaces();
    std::string name;
    SfMember value;
    if (!key(name)) return false;
    if (take('=') && !bare_item(value)) return false;
  }
  return true;
}

bool Parser::bare_item(SfMember& out) {
  const char c = peek();
  if (c == '-' || is_digit(c)) return number(out);
  if (take('"')) {
    out.kind = SfMember::Kind::kString;
    return quoted(out.text);
  }
  if (take('?')) {
    out.kind = SfMember::Kind::kBoolean;
    out.boolean = peek() == '1';
    return take('1') || take('0');
  }
  out.kind = SfMember::Kind::kOther;
  if (c == '*' || is_alpha(c)) {
    take_while(is_token_char);
    return true;
  }
  if (take(':')) {
    take_while(is_base64_char);
    return take(':');
  }
  if (take('@')) return date();
  if (take('%')) return take('"') && display_string();
  return false;
}

bool Parser::number(SfMember& out) {
  const bool negative = take('-');
  const std::string_view digits = take_while(is_digit);
  if (digits.empty()) return false;
  if (take('.')) {
    const std::string_view fraction = take_while(is_digit);
    out.kind = SfMember::Kind::kOther;
    return digits.size() <= 12 && !fraction.empty() && fraction.size() <= 3;
  }
  if (digits.size() > 15) return false;
  std::int64_t value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  out.kind = SfMember::Kind::kInteger;
  out.integer = negative ? -value : value;
  return true;
}

bool Parser::quoted(std::string& out) {
  while (!rest_.empty()) {
    if (take('"')) return true;
    const bool escaped = take('\\');
    const char c = peek();
    if (rest_.empty() || c < 0x20 || c > 0x7e || (escaped && c != '"' && c != '\\')) return false;
    out.push_back(c);
    rest_.remove_prefix(1);
  }
  return false;
}

bool Parser::display_string() {
  while (!rest_.empty()) {
    if (take('"')) return true;
    const char c = peek();
    if (c < 0x20 || c > 0x7e) return false;
    rest_.remove_prefix(1);
    if (c != '%') continue;
    if (rest_.size() < 2 || !is_lower_hex(rest_[0]) || !is_lower_hex(rest_[1])) return false;
    rest_.remove_prefix(2);
  }
  return false;
}

bool Parser::date() {
  SfMember seconds;
  return number(seconds) && seconds.kind == SfMember::Kind::kInteger;
}

}  // namespace

std::optional<std::vector<SfMember>> parse_sf_dictionary(std::string_view text) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  return Parser(text).dictionary();
}

}  // namespace seawall::policy
