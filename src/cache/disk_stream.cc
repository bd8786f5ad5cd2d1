#include "cache/disk_stream.h"

#include <algorithm>
#include <utility>

#include "cache/body_cursor.h"
#include "cache/disk_body.h"
#include "cache/disk_record.h"
#include "cache/store.h"

namespace seawall::cache {

DiskStream::DiskStream(Store& store, disk::Tier& tier, const disk::Meta& meta,
                       std::unique_ptr<disk::StreamWriter> writer)
    : store_(store), tier_(tier), hash_(meta.hash), writer_(std::move(writer)) {}

void DiskStream::finish(Object::Init init, Executor& executor, std::move_only_function<void(Ref<Object>)> done) {
  const Ref<Object> unplaced = Object::create(store_.budget(), init);
  auto publish = [&store = store_, &tier = tier_, hash = hash_, sequence = writer_->sequence(), init = std::move(init),
                  done = std::move(done)](disk::PutResult result) mutable {
    if (result.status != disk::PutStatus::kStored) return done(nullptr);
    const std::vector<disk::Candidate> present = tier.find(hash);
    const auto record = std::ranges::find(present, sequence, &disk::Candidate::sequence);
    if (record == present.end()) return done(nullptr);
    init.disk_body = make_ref<DiskBody>(*record);
    const Ref<Object> object = Object::create(store.budget(), std::move(init));
    done(store.insert_written(object) ? object : nullptr);
  };
  writer_->finish(encode_head(*unplaced), usable_until(*unplaced), &executor, std::move(publish));
}

std::unique_ptr<BodySource> DiskStream::read_back(std::uint64_t offset, Executor& executor,
                                                  std::function<void()> on_progress) const {
  std::unique_ptr<disk::BodyReader> reader = writer_->read_back(offset, &store_.budget(), executor);
  const std::uint64_t end = reader->body_bytes();
  auto cursor = std::make_unique<BodyCursor>(std::move(reader), std::move(on_progress));
  cursor->select({.first = offset, .last = end - 1});
  return cursor;
}

}  // namespace seawall::cache
