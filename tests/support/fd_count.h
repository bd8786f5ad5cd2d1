// Checks that as many descriptors are open at its end as were at its start: declare it before all else in a fixture.
#pragma once

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <iterator>

namespace seawall::test {

class FdCount {
 public:
  FdCount() : before_(now()) {}
  FdCount(const FdCount&) = delete;
  FdCount& operator=(const FdCount&) = delete;
  ~FdCount() {
    BOOST_CHECK_MESSAGE(now() == before_, "descriptors leaked: " << now() << " open, " << before_ << " before");
  }

  static std::ptrdiff_t now() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  }

 private:
  std::ptrdiff_t before_;
};

}  // namespace seawall::test
