#include "support/simulated_disk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace seawall::test {

namespace {

constexpr std::size_t kSector = 512;

std::string parent(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

}  // namespace

class SimulatedDisk::OpenFile final : public disk::File {
 public:
  OpenFile(SimulatedDisk& disk, std::string path, std::shared_ptr<Node> node, bool is_lock)
      : disk_(disk), path_(std::move(path)), node_(std::move(node)), is_lock_(is_lock), life_(disk.life_) {}
  ~OpenFile() override {
    const std::scoped_lock lock(disk_.mutex_);
    if (is_lock_ && life_ == disk_.life_) disk_.locks_.erase(path_);
  }

  disk::IoResult<std::size_t> read(std::uint64_t offset, std::span<char> into) override {
    const std::scoped_lock lock(disk_.mutex_);
    if (const int error = disk_.check(path_, false, false)) return std::unexpected(error);
    if (offset >= node_->now.size()) return 0;
    const std::size_t n = std::min<std::size_t>(into.size(), node_->now.size() - offset);
    std::memcpy(into.data(), node_->now.data() + offset, n);
    return n;
  }
  disk::IoResult<void> write(std::uint64_t offset, std::string_view bytes) override {
    return change({.is_truncate = false, .offset = offset, .bytes = std::string(bytes)}, offset + bytes.size());
  }
  disk::IoResult<void> truncate(std::uint64_t bytes) override {
    return change({.is_truncate = true, .offset = bytes, .bytes = {}}, bytes);
  }
  disk::IoResult<void> allocate(std::uint64_t bytes, bool grow) override {
    if (grow) return change({.is_truncate = true, .offset = bytes, .bytes = {}}, bytes);
    const std::scoped_lock lock(disk_.mutex_);
    if (const int error = disk_.check(path_, true, true)) return std::unexpected(error);
    return {};
  }
  disk::IoResult<void> sync() override {
    const std::scoped_lock lock(disk_.mutex_);
    if (const int error = disk_.check(path_, true, false, true)) return std::unexpected(error);
    node_->durable = node_->now;
    node_->unsynced.clear();
    return {};
  }
  disk::IoResult<std::uint64_t> size() override {
    const std::scoped_lock lock(disk_.mutex_);
    if (const int error = disk_.check(path_, false, false)) return std::unexpected(error);
    return node_->now.size();
  }

 private:
  disk::IoResult<void> change(Change c, std::uint64_t end) {
    const std::scoped_lock lock(disk_.mutex_);
    const bool was_running = disk_.operations_ < disk_.stop_at_;
    if (const int error = disk_.check(path_, true, end > node_->now.size())) {
      if (was_running && disk_.operations_ >= disk_.stop_at_ && !c.is_truncate) {
        c.bytes.resize(disk_.rng_.below(c.bytes.size() + 1));
        SimulatedDisk::apply(node_->now, c);
        node_->unsynced.push_back(std::move(c));
      }
      return std::unexpected(error);
    }
    const std::uint64_t more = end > node_->now.size() ? end - node_->now.size() : 0;
    if (!c.is_truncate && !disk_.has_room(path_, more)) {
      ++disk_.refused_;
      return std::unexpected(ENOSPC);
    }
    SimulatedDisk::apply(node_->now, c);
    node_->unsynced.push_back(std::move(c));
    return {};
  }

  SimulatedDisk& disk_;
  const std::string path_;
  const std::shared_ptr<Node> node_;
  const bool is_lock_;
  const std::uint64_t life_;
};

void SimulatedDisk::apply(std::string& content, const Change& c) {
  if (c.is_truncate) {
    content.resize(c.offset, '\0');
    return;
  }
  if (content.size() < c.offset + c.bytes.size()) content.resize(c.offset + c.bytes.size(), '\0');
  content.replace(c.offset, c.bytes.size(), c.bytes);
}

int SimulatedDisk::check(const std::string& path, bool changes, bool grows, bool is_sync) {
  const auto hangs = [&] {
    return std::ranges::any_of(hangs_, [&](const auto& hang) {
      if (!path.starts_with(hang.first)) return false;
      if (hang.second == Hang::kSyncs) return is_sync;
      return hang.second == Hang::kAll || (hang.second == Hang::kChanges) == changes;
    });
  };
  ++hanging_;
  while (hangs()) released_.wait(mutex_);  // which the caller has locked
  --hanging_;
  if (operations_ >= stop_at_) return EIO;
  for (const auto& [prefix, fault] : faults_) {
    if (path.starts_with(prefix) && (!fault.second || grows)) return fault.first;
  }
  if (changes && ++operations_ >= stop_at_) return EIO;
  return 0;
}

void SimulatedDisk::limit_room(const std::string& prefix, std::uint64_t bytes) {
  const std::scoped_lock lock(mutex_);
  rooms_[prefix] = bytes;
}

std::uint64_t SimulatedDisk::refused() const {
  const std::scoped_lock lock(mutex_);
  return refused_;
}

bool SimulatedDisk::has_room(const std::string& path, std::uint64_t more) const {
  return std::ranges::all_of(rooms_, [&](const auto& room) {
    if (more == 0 || !path.starts_with(room.first)) return true;
    std::uint64_t used = 0;
    for (const auto& [name, node] : names_) used += name.starts_with(room.first) ? node->now.size() : 0;
    return used + more <= room.second;
  });
}

void SimulatedDisk::make_directory(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  directories_.insert(path);
}

void SimulatedDisk::stop_after(std::uint64_t operations) {
  const std::scoped_lock lock(mutex_);
  stop_at_ = operations_ + operations;
}

bool SimulatedDisk::has_stopped() const {
  const std::scoped_lock lock(mutex_);
  return operations_ >= stop_at_;
}

std::uint64_t SimulatedDisk::operations() const {
  const std::scoped_lock lock(mutex_);
  return operations_;
}

void SimulatedDisk::restart() {
  const std::scoped_lock lock(mutex_);
  stop_at_ = ~std::uint64_t{0};
  locks_.clear();
  ++life_;
}

void SimulatedDisk::tear(Node& node) {
  // Each sector of each write reaches the device or not, on its own; sometimes all or nothing of a write.
  std::string content = node.durable;
  for (const Change& c : node.unsynced) {
    const std::uint64_t mode = rng_.below(4);
    if (mode == 0) continue;
    if (mode == 1 || c.is_truncate) {
      apply(content, c);
      continue;
    }
    for (std::size_t at = 0; at < c.bytes.size(); at += kSector) {
      if (rng_.below(2) == 0) continue;
      apply(content, {.is_truncate = false, .offset = c.offset + at, .bytes = c.bytes.substr(at, kSector)});
    }
  }
  node.now = content;
  node.durable = std::move(content);
  node.unsynced.clear();
}

void SimulatedDisk::lose_power() {
  const std::scoped_lock lock(mutex_);
  Names names = durable_names_;
  const bool in_order = rng_.below(2) == 0;
  const std::uint64_t first = in_order ? rng_.below(unsynced_names_.size() + 1) : unsynced_names_.size();
  for (std::size_t i = 0; i < first; ++i) {
    if (!in_order && rng_.below(2) == 0) continue;
    const NameChange& c = unsynced_names_[i];
    if (c.node) {
      names[c.path] = c.node;
    } else {
      names.erase(c.path);
    }
  }
  unsynced_names_.clear();
  names_ = names;
  durable_names_ = std::move(names);
  std::set<Node*> torn;
  for (auto& [path, node] : names_) {
    if (torn.insert(node.get()).second) tear(*node);
  }
  stop_at_ = ~std::uint64_t{0};
  locks_.clear();
  ++life_;
}

bool SimulatedDisk::flip_bit(const std::string& prefix) {
  const std::scoped_lock lock(mutex_);
  std::vector<Node*> nodes;
  for (auto& [path, node] : names_) {
    if (path.starts_with(prefix) && !node->now.empty()) nodes.push_back(node.get());
  }
  if (nodes.empty()) return false;
  Node& node = *nodes[rng_.below(nodes.size())];
  // Most of a file is zeros that nobody reads.
  const std::size_t zone = rng_.below(3) == 0 ? std::min<std::size_t>(node.now.size(), 8192) : node.now.size();
  const std::size_t at = rng_.below(zone);
  node.now[at] = static_cast<char>(node.now[at] ^ (1 << rng_.below(8)));
  if (at < node.durable.size()) node.durable[at] = node.now[at];
  return true;
}

void SimulatedDisk::hang(const std::string& prefix, Hang what) {
  const std::scoped_lock lock(mutex_);
  hangs_[prefix] = what;
}

void SimulatedDisk::release() {
  const std::scoped_lock lock(mutex_);
  hangs_.clear();
  released_.notify_all();
}

std::size_t SimulatedDisk::hanging() const {
  const std::scoped_lock lock(mutex_);
  return hanging_;
}

void SimulatedDisk::fail(const std::string& prefix, int error, bool only_growth) {
  const std::scoped_lock lock(mutex_);
  if (error == 0) {
    faults_.erase(prefix);
  } else {
    faults_[prefix] = {error, only_growth};
  }
}

void SimulatedDisk::refuse_rings(int error) {
  const std::scoped_lock lock(mutex_);
  ring_refusal_ = error;
}

disk::IoResult<std::unique_ptr<disk::ReadRing>> SimulatedDisk::make_ring() {
  const std::scoped_lock lock(mutex_);
  if (ring_refusal_ != 0) return std::unexpected(ring_refusal_);
  return disk::ReadRing::create();
}

bool SimulatedDisk::exists(const std::string& path) const {
  const std::scoped_lock lock(mutex_);
  return names_.contains(path);
}

std::vector<std::string> SimulatedDisk::files(const std::string& prefix) const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> found;
  for (const auto& [path, node] : names_) {
    if (path.starts_with(prefix)) found.push_back(path);
  }
  return found;
}

std::string SimulatedDisk::content(const std::string& path) const {
  const std::scoped_lock lock(mutex_);
  const auto found = names_.find(path);
  return found == names_.end() ? std::string() : found->second->now;
}

void SimulatedDisk::set_content(const std::string& path, std::string bytes) {
  const std::scoped_lock lock(mutex_);
  auto node = std::make_shared<Node>();
  node->now = bytes;
  node->durable = std::move(bytes);
  names_[path] = node;
  durable_names_[path] = std::move(node);
}

void SimulatedDisk::remove(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  names_.erase(path);
  durable_names_.erase(path);
}

void SimulatedDisk::rename_now(const std::string& path, std::shared_ptr<Node> node) {
  if (node) {
    names_[path] = node;
  } else {
    names_.erase(path);
  }
  unsynced_names_.push_back({path, std::move(node)});
}

disk::IoResult<std::unique_ptr<disk::File>> SimulatedDisk::open(const std::string& path, disk::OpenMode mode) {
  const std::scoped_lock lock(mutex_);
  const bool creates = mode == disk::OpenMode::kCreate;
  if (const int error = check(path, creates, creates)) return std::unexpected(error);
  if (!directories_.contains(parent(path))) return std::unexpected(ENOENT);
  const auto found = names_.find(path);
  std::shared_ptr<Node> node = found == names_.end() ? nullptr : found->second;
  if (!node && !creates) return std::unexpected(ENOENT);
  if (node && creates) {
    node->now.clear();
    node->unsynced.push_back({.is_truncate = true, .offset = 0, .bytes = {}});
  }
  if (!node) {
    node = std::make_shared<Node>();
    rename_now(path, node);
  }
  return std::make_unique<OpenFile>(*this, path, std::move(node), false);
}

disk::IoResult<void> SimulatedDisk::rename(const std::string& from, const std::string& to) {
  const std::scoped_lock lock(mutex_);
  if (const int error = check(from, true, false)) return std::unexpected(error);
  const auto found = names_.find(from);
  if (found == names_.end()) return std::unexpected(ENOENT);
  const std::shared_ptr<Node> node = found->second;
  rename_now(from, nullptr);
  rename_now(to, node);
  return {};
}

disk::IoResult<void> SimulatedDisk::unlink(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (const int error = check(path, true, false)) return std::unexpected(error);
  if (!names_.contains(path)) return std::unexpected(ENOENT);
  rename_now(path, nullptr);
  return {};
}

disk::IoResult<std::vector<std::string>> SimulatedDisk::list(const std::string& directory) {
  const std::scoped_lock lock(mutex_);
  if (const int error = check(directory + "/", false, false)) return std::unexpected(error);
  if (!directories_.contains(directory)) return std::unexpected(ENOENT);
  std::vector<std::string> found;
  for (const auto& [path, node] : names_) {
    if (parent(path) == directory) found.push_back(path.substr(directory.size() + 1));
  }
  return found;
}

disk::IoResult<void> SimulatedDisk::sync_directory(const std::string& directory) {
  const std::scoped_lock lock(mutex_);
  if (const int error = check(directory + "/", true, false)) return std::unexpected(error);
  std::erase_if(unsynced_names_, [&](const NameChange& c) {
    if (parent(c.path) != directory) return false;
    if (c.node) {
      durable_names_[c.path] = c.node;
    } else {
      durable_names_.erase(c.path);
    }
    return true;
  });
  return {};
}

disk::IoResult<std::unique_ptr<disk::File>> SimulatedDisk::lock(const std::string& path, bool create) {
  const std::scoped_lock guard(mutex_);
  if (const int error = check(path, false, false)) return std::unexpected(error);
  if (locks_.contains(path)) return std::unexpected(EWOULDBLOCK);
  auto found = names_.find(path);
  if (found == names_.end()) {
    if (!create) return std::unexpected(ENOENT);
    rename_now(path, std::make_shared<Node>());
    found = names_.find(path);
  }
  locks_.insert(path);
  return std::make_unique<OpenFile>(*this, path, found->second, true);
}

}  // namespace seawall::test
