#!/usr/bin/ruby
# A sampler of one's own, in Ruby: sampler.rb ENDPOINT [POOL]. Its rule is that of sampler.py, to the bit: each goes on with a
# text that the other has begun.
require "ffi-rzmq"
require "logits_pb"
include Trivium

def log_sum(row)
  largest = row.max
  largest + Math.log(row.inject(0) { |sum, logit| sum + Math.exp(logit - largest) })
end

def choose(row, ids, chance)
  penalized = row.dup
  ids.last(64).uniq.each { |i| penalized[i] = row[i] > 0 ? row[i] / 1.1 : row[i] * 1.1 }
  total = log_sum(penalized)
  probabilities = penalized.map { |logit| Math.exp(logit - total) }
  least = 0.2 * probabilities.max**2
  sum = 0.0
  sums = probabilities.map { |p| p >= least ? sum += p : sum }
  at = chance.rand * sum
  chosen = sums.index { |one| one > at } || row.size - 1
  Drawn.new(id: chosen, logprob: row[chosen] - log_sum(row)) # of the raw logits
end

def answer(request, frames)
  reply = SampleReply.new(ticket: request.ticket, request: request.request, attempt: request.attempt, step: request.step)
  if request.given.any? || request.want_probabilities
    reply.error = Error.new(code: :UNSUPPORTED, message: "this sampler draws and does nothing else")
    return reply
  end
  rows, ids = frames[0].unpack("e*"), frames[1].unpack("l<*")
  rows.each_slice(request.n_vocab).with_index do |row, i| # seed and step decide alone: a step can be taken again anywhere
    chance = Random.new(1 << 85 | request.seed << 32 | request.step + i)
    reply.drawn << choose(row, ids, chance)
    ids << reply.drawn[i].id
    break unless [nil, ids.last].include?(request.drafts[i]) # the rows after this one belong to another text
  end
  reply
end

def say(**fields)
  message = LogitsReply.new(**fields)
  message.control ||= Control.new
  message.control.from, message.control.to = $mine, $theirs
  $socket.send_string(LogitsReply.encode(message)) # in vain where there is no modeld yet
end

def say_hello
  $theirs = 0
  offer = SamplerOffer.new(pool: ARGV[1] || "", semantics: "top-a/3")
  hello = Hello.new(version: 2, role: :SAMPLERD, name: "sampler.rb", pid: Process.pid, heartbeat_ms: 500, sampler: offer)
  say(control: Control.new(hello: hello))
end

abort("usage: sampler.rb ENDPOINT [POOL]") if ARGV.empty?
context = ZMQ::Context.new
$socket = context.socket(ZMQ::DEALER)
options = { ZMQ::IMMEDIATE => 1, ZMQ::LINGER => 500, ZMQ::SNDTIMEO => 1500, ZMQ::RCVTIMEO => 1500 }
options.each { |option, value| $socket.setsockopt(option, value) }
$socket.connect(ARGV[0])
$mine, $theirs = rand(1...1 << 63), 0 # incarnations: ours, and modeld's
%w[TERM INT].each { |name| trap(name) { exit } }
at_exit do
  say(control: Control.new(leave: Leave.new))
  $socket.close
  context.terminate
end
say_hello
loop do
  header, *frames = [].tap { |all| $socket.recv_strings(all) }
  unless header # nothing for 1.5 s, and a modeld pings when it is idle: this one is gone
    say(control: Control.new(leave: Leave.new)) unless $theirs.zero? # it may come back: then this Hello is no repeated one
    next say_hello
  end
  message = LogitsRequest.decode(header)
  case message.control.word
  when :hello then $theirs = message.control.from
  when :heartbeat then say(control: Control.new(heartbeat: Heartbeat.new))
  when :say_hello, :leave then say_hello
  when :refused
    why = message.control.refused
    abort(why.message) unless %i[BUSY NO_MEMORY].include?(why.code)
    sleep(0.5) # there may be room later
    say_hello
  end
  say(sample: answer(message.sample, frames)) if message.body == :sample
end
