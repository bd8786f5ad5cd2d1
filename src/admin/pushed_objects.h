// PUT /v1/objects?url=URL[&status=N]: the origin puts a response into the cache itself. The request's own
// representation and caching fields (Content-Type, Cache-Control, ETag, ...) and its body are those of the response.
// Thread: the home worker's.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "admin/background_fill.h"
#include "admin/message.h"
#include "policy/freshness.h"
#include "proxy/context.h"

namespace seawall::admin {

class PushedObjects {
 public:
  explicit PushedObjects(proxy::Context& context);

  // What can be told from the head alone, before the body is read: nullopt when it may come.
  std::optional<AdminReply> refuse(const AdminRequest& request) const;
  // 201 when the URL was not stored before, else 200, with {"url", "bytes", "ttl"}; 4xx with a problem, and then
  // nothing has changed: 400 the URL, 404 no route, 411 no length, 413 above the limits, 422 what may not be stored.
  AdminReply put(const AdminRequest& request);

 private:
  // The response as it would be stored.
  struct Pushed {
    Target target;
    const proxy::Route* route = nullptr;  // of the context's router
    http::ResponseHead head;
    http::HeaderMap fields;
    policy::Freshness freshness;
  };

  std::expected<Pushed, AdminReply> read(const AdminRequest& request) const;
  std::expected<Pushed, AdminReply> decide(Pushed pushed) const;
  std::optional<AdminReply> check_size(std::uint64_t bytes) const;
  Ref<cache::Object> make_object(const Pushed& pushed, std::string_view body) const;

  proxy::Context& context_;
};

}  // namespace seawall::admin
