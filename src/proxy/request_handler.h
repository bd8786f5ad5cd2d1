// Who answers the requests of a session: the proxy's Transaction, or the admin listener. One request at a time; reused
// for the next of its connection. Thread: the session's worker.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/ref.h"
#include "base/result.h"
#include "http/body_pipe.h"
#include "http/message.h"
#include "proxy/client_info.h"
#include "proxy/response_writer.h"

namespace seawall::proxy {

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;

  // The session fills this in before begin().
  http::RequestHead& request() { return request_; }
  const http::RequestHead& request() const { return request_; }

  // `body` is null when the request has none.
  virtual void begin(Ref<http::BodyPipe> body) = 0;
  // A request that never became one: answered, logged, and the session closes.
  virtual void begin_refused(Error error) = 0;

  virtual bool is_active() const = 0;
  // Whether anything of an answer has been given to the writer.
  virtual bool has_answered() const = 0;
  // The client takes more.
  virtual void on_writable() = 0;
  // The client is gone: nothing more can be sent.
  virtual void on_client_gone() = 0;

 protected:
  http::RequestHead request_;
};

// `client` outlives the handler. `on_finished` is to be called once for each request that was begun; the session then
// goes on to the next.
using HandlerFactory = std::function<std::unique_ptr<RequestHandler>(ResponseWriter& writer, const ClientInfo& client,
                                                                     std::function<void()> on_finished)>;

}  // namespace seawall::proxy
