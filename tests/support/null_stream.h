// A stream that is held and never used: it closes its descriptor when it goes.
#pragma once

#include <utility>

#include "base/byte_stream.h"
#include "base/fd.h"

namespace seawall::test {

class NullStream final : public ByteStream {
 public:
  explicit NullStream(Fd fd) : fd_(std::move(fd)) {}

  Outcome read(std::span<char>) override { return {Status::kBlocked}; }
  Outcome write(std::string_view) override { return {Status::kBlocked}; }
  bool has_unsent() const override { return false; }
  void end_output() override {}
  void watch(bool, bool) override {}
  void set_user(User&) override {}

 private:
  Fd fd_;
};

}  // namespace seawall::test
