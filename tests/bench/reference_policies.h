// Policies as their papers have them, by bytes, to measure seawall's against: a trace's keys are numbers from 0, and
// nothing but access() is needed. How near they are to libCacheSim's: docs/storage.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace seawall::bench {

class Reference {
 public:
  virtual ~Reference() = default;
  // Whether it was a hit; a miss is stored if the policy wants it.
  virtual bool access(std::uint32_t id, std::uint64_t size) = 0;
};

struct NamedReference {
  std::string name;
  std::unique_ptr<Reference> (*make)(std::size_t objects, std::uint64_t capacity_bytes);
  bool is_bar;  // one of those that seawall's own has to beat
};

const std::vector<NamedReference>& references();

}  // namespace seawall::bench
