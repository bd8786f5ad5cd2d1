// The directories of `cache.disk`: looked at by `seawall check`, made and opened at start. Thread: the main one.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cache/disk_tier.h"
#include "cache/store.h"
#include "config/config.h"

namespace seawall::server {

// Why a server could not use it, as far as looking tells: nothing is changed. One that does not exist is fine when it
// can be made.
std::optional<std::string> check_disk_directory(const std::string& directory);

// Makes the directories that do not exist, and takes what the others hold; null without `cache.disk`. The error is text
// for a person. What the tier has to say goes to the log. `store` and `clock` outlive it.
std::expected<std::unique_ptr<cache::DiskTier>, std::string> open_disk(const config::Config& config,
                                                                       cache::Store& store, const Clock& clock);

// Waits until what is on disk is known, 3 s at most: what is not known yet would be fetched from the origin, and a
// restart under load would fetch nearly all of it.
void await_disk(cache::DiskTier& disk);

// Whether directories, sizes and bounds are the same.
bool has_same_disk(const config::Config& a, const config::Config& b);

}  // namespace seawall::server
