// What the reader has gathered, before names are resolved and combinations checked.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "config/directives.h"
#include "config/document.h"

namespace seawall::config {

// Where a key was set, and, if its value is an array of texts, where each of them stands.
struct Setting : Place {
  Setting() = default;
  Setting(const Place& place) : Place(place) {}
  const Place& element(std::size_t i) const { return i < elements.size() ? elements[i] : *this; }

  std::vector<Place> elements;
};

// By the directive's path.
using Settings = std::map<std::string_view, Setting>;

struct OriginDraft {
  OriginConfig config;
  Settings set;
  Place at;
};

struct RouteDraft {
  RouteConfig config{.host = "*", .path = "/*"};
  Settings set;
  Place at;
};

// One directory of cache.disk.
struct DiskDraft {
  disk::VolumeOptions config;
  Settings set;
  Place at;
};

struct Input {
  Config config;
  Share max_object;
  Settings set;
  std::vector<DiskDraft> disks;
  std::vector<OriginDraft> origins;
  std::vector<RouteDraft> routes;
  bool is_incomplete = false;         // something could not be read: what seems to be missing may stand there
  std::set<std::string_view> unread;  // keys whose values could not be read, anywhere: so is what depends on them

  Draft draft() { return {.config = &config, .max_object = &max_object}; }
  Draft draft(DiskDraft& d) { return {.config = &config, .disk = &d.config}; }
  Draft draft(OriginDraft& o) { return {.config = &config, .origin = &o.config}; }
  Draft draft(RouteDraft& r) { return {.config = &config, .route = &r.config}; }
};

// Fills what follows from the rest, and reports what cannot be. `whole` is where what is missing altogether is
// reported.
void resolve(Input& input, const Place& whole, const Clock& clock, Report& report);

}  // namespace seawall::config
