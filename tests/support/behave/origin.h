// A scripted origin on a port of its own: it counts, keeps the bytes of every request, and does as badly as the test
// asks. Handlers run in a thread per connection; what they find is checked in the test's own thread afterwards.
#pragma once

#include <atomic>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/behave/message.h"
#include "support/behave/socket.h"

namespace seawall::behave {

class Origin;

// One request as the origin has read it.
struct SeenRequest {
  std::string method;
  std::string target;
  std::string head;  // its bytes
  Fields headers;
  std::string body;  // as far as the handler, or the drain after it, has read it
  Fields trailers;
  bool body_complete = false;
  std::size_t connection = 0;     // 1 for the first one accepted
  std::size_t on_connection = 0;  // 1 for its first request
};

// The handler's side of one request. Every function ends early, without harm, when the peer is gone or the test is
// over.
class Exchange {
 public:
  const SeenRequest& request() const { return seen_; }
  std::size_t number() const { return number_; }  // 1 for the first request of this path

  std::string read_body();
  // At most that many bytes as they come on the wire; empty at the end.
  std::string read_raw(std::size_t max);

  void send(std::string_view bytes);
  void respond(const Reply& reply);
  void begin_chunked(const Lines& headers, int status = 200);
  void send_chunk(std::string_view payload) { send(chunk(payload)); }
  void end_chunks(const Lines& trailers = {});
  // Until the gate opens.
  void hold(const Gate& gate);
  // Until the peer closes or resets; false when it does not in time.
  bool wait_for_close();
  void close();
  void reset();
  // Sends nothing in answer and keeps the connection until the peer gives up.
  void be_silent() { wait_for_close(); }

 private:
  friend class Origin;
  Exchange(Origin& origin, Socket& socket, std::string& buffer) : origin_(origin), socket_(socket), buffer_(buffer) {}
  bool read_more();
  void publish();
  bool read_head();
  void read_chunked();
  void drain();

  Origin& origin_;
  Socket& socket_;
  std::string& buffer_;
  SeenRequest seen_;
  std::size_t number_ = 0;
  std::size_t index_ = 0;  // in Origin::seen_
};

using Handler = std::function<void(Exchange&)>;
Handler reply(Reply what);

// The body of an answer that no client may ever get.
inline constexpr std::string_view kPoison = "this request should not have reached the origin";

class Origin {
 public:
  Origin();
  ~Origin();
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;

  // For the path, or for path and query if it has one. A list answers one request each; a request past its end is
  // unexpected and gets the poison, as does any request to another path.
  void on(std::string path, Handler handler);
  void on(std::string path, Reply what) { on(std::move(path), reply(std::move(what))); }
  void script(std::string path, std::vector<Handler> steps);
  void otherwise(Handler handler);

  std::uint16_t port() const { return port_; }
  std::string authority() const { return "127.0.0.1:" + std::to_string(port_); }
  std::size_t count(std::string_view path) const;
  std::size_t total() const;
  std::size_t unexpected() const { return unexpected_; }
  std::size_t connections() const;       // accepted so far
  std::size_t open_connections() const;  // not yet closed by either side
  std::size_t most_at_once() const;
  // The nth (from 1) request to that path; throws Failure when there was none. 0: the last.
  SeenRequest seen(std::string_view path, std::size_t nth = 0) const;
  // Ends all connections now, listens on.
  void drop_connections();
  // Refuses connections from now on.
  void stop();

 private:
  friend class Exchange;
  struct Route {
    std::vector<Handler> steps;
    bool repeats = false;
  };
  void accept_all();
  void serve(std::size_t id, Socket socket);
  Handler begin(Exchange& exchange);
  void end();

  std::uint16_t port_ = 0;  // before listener_, whose making sets it
  Fd listener_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::size_t> unexpected_ = 0;
  mutable std::mutex mutex_;
  std::map<std::string, Route, std::less<>> routes_;
  Handler otherwise_;
  std::vector<SeenRequest> seen_;
  std::map<std::string, std::size_t, std::less<>> counts_;
  std::map<std::size_t, int> open_;  // descriptor of each live connection, to end it from outside
  std::size_t accepted_ = 0;
  std::size_t at_once_ = 0;
  std::size_t most_at_once_ = 0;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace seawall::behave
