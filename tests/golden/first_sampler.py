#!/usr/bin/env python3
"""A sampler of one's own: sampler.py ENDPOINT [POOL]. Its rule is top-a: keep p >= 0.2 * (the largest p)^2."""
import array, math, os, random, sys
import zmq
import common_pb2, logits_pb2


def choose(row, chance):
    largest = max(row)
    weights = [math.exp(logit - largest) for logit in row]
    total = sum(weights)
    left = [weight if weight >= 0.2 / total else 0.0 for weight in weights]
    chosen = chance.choices(range(len(row)), left)[0]
    return common_pb2.Drawn(id=chosen, logprob=math.log(weights[chosen] / total))


def answer(request, frames):
    reply = logits_pb2.SampleReply(ticket=request.ticket, request=request.request, attempt=request.attempt, step=request.step)
    if request.given or request.want_probabilities:
        reply.error.code, reply.error.message = common_pb2.UNSUPPORTED, "this sampler draws and does nothing else"
        return reply
    rows = array.array("f", frames[0])
    for i in range(request.n_rows):     # seed and step decide alone, so that a step can be taken again anywhere
        chance = random.Random(request.seed << 32 | request.step + i)
        reply.drawn.append(choose(rows[i * request.n_vocab:(i + 1) * request.n_vocab], chance))
    return reply


def send(**fields):
    message = logits_pb2.LogitsReply(**fields)
    setattr(message.control, "from", mine)
    message.control.to = theirs
    try:
        socket.send(message.SerializeToString())
    except zmq.Again:
        pass                            # no modeld there yet


socket = zmq.Context().socket(zmq.DEALER)
socket.immediate, socket.linger, socket.sndtimeo = 1, 0, 1500
socket.connect(sys.argv[1])
mine, theirs = random.getrandbits(63) + 1, 0    # incarnations: ours, and modeld's
offer = common_pb2.SamplerOffer(pool=(sys.argv + [""])[2], semantics="top-a/1")
hello = common_pb2.Control(hello=common_pb2.Hello(
    version=2, role=common_pb2.SAMPLERD, name="sampler.py", pid=os.getpid(), heartbeat_ms=500, sampler=offer))
send(control=hello)
while True:
    if not socket.poll(1500):           # a modeld pings when it is idle: this one is gone
        theirs = 0
        send(control=hello)
        continue
    header, *frames = socket.recv_multipart()
    message = logits_pb2.LogitsRequest.FromString(header)
    word = message.control.WhichOneof("word")
    if word == "hello":
        theirs = getattr(message.control, "from")
    elif word == "heartbeat":
        send(control=common_pb2.Control(heartbeat=common_pb2.Heartbeat()))
    elif word == "say_hello":
        theirs = 0
        send(control=hello)
    elif word == "refused":
        sys.exit(message.control.refused.message)
    elif message.HasField("sample"):
        send(sample=answer(message.sample, frames))
