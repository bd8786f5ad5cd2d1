#!/usr/bin/env python3
"""Models of web traffic as traces for `seawall simulate`: lines `time_ms,key,size_bytes`, a key keeping one size.

usage: traces.py --model NAME [--seed N] [--requests N] >FILE
       traces.py --list

Each model mixes, in its own parts: a catalogue asked for by Zipf's law, sizes that are lognormal with a Pareto tail,
objects asked for once and never again, popularity that drifts, crawlers that walk the catalogue, and expiry (a new
version is a new key). The same seed gives the same trace.
"""

import argparse
import bisect
import dataclasses
import itertools
import math
import random
import sys

MAX_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True)
class Model:
    about: str
    alpha: float  # Zipf's exponent
    objects: int  # of the catalogue
    median_bytes: float
    sigma: float  # of the logarithm of sizes
    tail: float = 0.01  # share of objects whose size is Pareto from ten medians on
    large: float = 0.0  # share of objects that are media, whatever their popularity
    large_median_bytes: float = 1 << 20
    large_ranks: float = 1.0  # the media's ranks are the first of all, as this share
    once: float = 0.1  # share of requests for what is never asked for again
    drift: float = 0.0  # ranks that change places, per request
    crawl_every: int = 0  # requests between two crawls
    crawl_length: int = 0
    lifetime: int = 0  # mean requests until an object has a new version
    fresh: float = 0.0  # share of requests for what appeared lately, the newest most


MODELS = {
    "site": Model("pages and their parts, mild drift", alpha=0.9, objects=40_000, median_bytes=8 << 10, sigma=1.6,
                  tail=0.02, once=0.12, drift=0.02),
    "cdn": Model("media among small objects, equally popular", alpha=0.8, objects=40_000, median_bytes=20 << 10,
                 sigma=1.3, large=0.15, once=0.08, drift=0.01),
    "media": Model("the large is popular", alpha=0.9, objects=40_000, median_bytes=10 << 10, sigma=1.2, large=0.3,
                   large_ranks=0.05, large_median_bytes=2 << 20, once=0.06, drift=0.01),
    "crawled": Model("a shop that crawlers walk through", alpha=1.0, objects=60_000, median_bytes=15 << 10, sigma=1.2,
                     once=0.08, drift=0.01, crawl_every=20_000, crawl_length=6_000),
    "api": Model("small answers that expire", alpha=0.95, objects=30_000, median_bytes=2 << 10, sigma=1.1, tail=0.005,
                 once=0.1, lifetime=150_000),
    "news": Model("what is new is what is read", alpha=0.9, objects=30_000, median_bytes=25 << 10, sigma=1.4,
                  tail=0.015, once=0.1, drift=0.03, fresh=0.45),
    "flat": Model("a long tail, little repeats", alpha=0.8, objects=120_000, median_bytes=10 << 10, sigma=2.0, tail=0.01,
                  once=0.2, drift=0.05),
}


class Sizes:
    def __init__(self, model, rng):
        self.model = model
        self.rng = rng

    def draw(self, rank_share):
        m, rng = self.model, self.rng
        # What is beyond those ranks is not large.
        kind = rng.random() if rank_share < m.large_ranks else m.large + (1 - m.large) * rng.random()
        if kind < m.large:
            size = rng.lognormvariate(math.log(m.large_median_bytes), 1.0)
        elif kind < m.large + m.tail:
            size = 10 * m.median_bytes * rng.paretovariate(1.1)
        else:
            size = rng.lognormvariate(math.log(m.median_bytes), m.sigma)
        return max(64, min(int(size), MAX_BYTES))


def generate(model, seed, requests):
    """Yields (time_ms, key, size_bytes)."""
    rng = random.Random(seed)
    sizes = Sizes(model, rng)
    names = itertools.count(1)
    # by_rank[r] is the object of rank r; an object is [key, size, expires at].
    def made(now, rank=model.objects):
        expires = now + rng.expovariate(1 / model.lifetime) if model.lifetime else math.inf
        return [next(names), sizes.draw(rank / model.objects), expires]

    by_rank = [made(0, rank) for rank in range(model.objects)]
    cumulative = list(itertools.accumulate((r + 1) ** -model.alpha for r in range(model.objects)))
    recent = []
    crawler, crawl_left = 0, 0
    drift_due = 0.0
    for i in range(requests):
        drift_due += model.drift
        while drift_due >= 1:
            drift_due -= 1
            # One comes up, and what it displaces goes where it was; half of those that come are new.
            low, high = rng.randrange(model.objects), int(model.objects * rng.random() ** 3)
            if rng.random() < 0.5:
                by_rank[low] = made(i, high)
            by_rank[low], by_rank[high] = by_rank[high], by_rank[low]
        if model.crawl_every and i % model.crawl_every == model.crawl_every - 1:
            crawl_left = model.crawl_length
        if crawl_left and rng.random() < 0.7:
            crawl_left -= 1
            crawler = (crawler + 1) % model.objects
            # Scattered over the ranks: a site's pages are not linked in the order of their popularity.
            item = by_rank[crawler * 7919 % model.objects]
        elif rng.random() < model.once:
            item = [next(names), sizes.draw(rng.random()), math.inf]
        elif rng.random() < model.fresh:
            if not recent or rng.random() < 0.02:
                recent.append(made(i, model.objects * rng.random()))
            item = recent[-min(len(recent), 1 + int(rng.expovariate(1 / 40)))]
        else:
            item = by_rank[bisect.bisect(cumulative, rng.random() * cumulative[-1])]
        if item[2] <= i:
            item[0], item[2] = next(names), i + rng.expovariate(1 / model.lifetime)
        yield i * 10, item[0], item[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name the models")
    parser.add_argument("--model", choices=MODELS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--requests", type=int, default=300_000)
    arguments = parser.parse_args()
    if arguments.list or not arguments.model:
        for name, model in MODELS.items():
            print(f"{name:8} {model.about}")
        return
    for line in generate(MODELS[arguments.model], arguments.seed, arguments.requests):
        sys.stdout.write("%d,%d,%d\n" % line)


if __name__ == "__main__":
    main()
