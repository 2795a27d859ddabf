/**
 * One stretch of a soak: clients and trouble for a while, perhaps an end of the daemon in the middle of it, then silence, in which nothing may be
 * left over and the ledger must know every turn.
 */
import { type Chance, createChance } from "../daemon/support/seed.ts";
import { pickClient } from "./clients.ts";
import { count, note, type SoakState } from "./state.ts";
import { heal, helpOut, makeTrouble } from "./trouble.ts";
import { figuresOf, type Sample } from "./watch.ts";
import type { SoakWorld } from "./world.ts";

export interface StretchPlan {
  readonly number: number;
  readonly forMs: number;
  readonly clients: number;
  /** How the daemon ends in the middle of it; null = it does not. */
  readonly ends: "terminated" | "killed" | null;
}

/** Turns of one client key, which is one start's. */
export interface Tally {
  certain: number;
  uncertain: number;
}

/** Conversations that go on, so that affinity, chains and sockets are used. */
const SESSIONS = 40;
/** What is written behind may be lost by a kill: a second's worth, and one more for a slow machine. */
const UNWRITTEN_MS = 3_000;
const HEALTH_EVERY_MS = 100;
/** Longer than every time-out that the world sets. */
const SILENCE_MAX_MS = 60_000;

export async function runStretch(world: SoakWorld, state: SoakState, tally: Tally, plan: StretchPlan): Promise<Sample> {
  const stretch = new Stretch(world, state, tally, plan);
  return stretch.run();
}

class Stretch {
  readonly #chance: Chance;
  readonly #recent: { atMs: number; turns: number }[] = [];
  #isOver = false;
  /** The daemon is being ended: who fails now fails for that reason. */
  #isEnding = false;
  #slowestHealthMs = 0;

  constructor(
    readonly world: SoakWorld,
    readonly state: SoakState,
    readonly tally: Tally,
    readonly plan: StretchPlan,
  ) {
    this.#chance = createChance(state.seed ^ Bun.hash.crc32(`stretch ${state.starts} ${plan.number}`));
  }

  async run(): Promise<Sample> {
    const { plan } = this;
    const clients = Array.from({ length: plan.clients }, (_, seat) => this.#client(seat));
    const others = [this.#trouble(), this.#health()];
    if (plan.ends !== null) {
      await Bun.sleep(plan.forMs / 2);
      await this.#end(plan.ends);
      await Bun.sleep(plan.forMs / 2);
    } else await Bun.sleep(plan.forMs);
    this.#isOver = true;
    await Promise.all([...clients, ...others]);
    return this.#rest();
  }

  async #client(seat: number): Promise<void> {
    const { state, tally } = this;
    const chance = createChance(state.seed ^ Bun.hash.crc32(`seat ${state.starts} ${this.plan.number} ${seat}`));
    while (!this.#isOver) {
      const { world } = this;
      const session = `soak-${chance.between(1, SESSIONS)}`;
      const wasEnding = this.#isEnding;
      const life = world.life;
      try {
        const deed = await pickClient(chance)({ url: world.daemon.proxyUrl, key: world.key, chance, session });
        count(state.answers, deed.got);
        tally.certain += deed.certainTurns;
        tally.uncertain += deed.uncertainTurns;
        this.#recent.push({ atMs: performance.now(), turns: deed.certainTurns });
        if (this.#recent.length > 2_000) this.#recent.shift();
        if (/ 500| internal/.test(deed.got)) note(state, deed.got, `${deed.got} in stretch ${this.plan.number}`);
      } catch (error) {
        tally.uncertain++;
        const isExcused = wasEnding || this.#isEnding || life !== world.life;
        const words = error instanceof Error ? error.message : String(error);
        if (isExcused) count(state.answers, "daemon ended");
        else note(state, words.replace(/\d+/g, "N"), `${words}, in stretch ${this.plan.number}`);
        await Bun.sleep(50);
      }
      await Bun.sleep(chance.between(0, 120));
    }
  }

  async #trouble(): Promise<void> {
    while (!this.#isOver) {
      await Bun.sleep(this.#chance.between(150, 1_500));
      if (this.#isEnding) continue;
      try {
        count(this.state.faults, await makeTrouble(this.world, this.#chance));
        await helpOut(this.world);
      } catch (error) {
        if (!this.#isEnding) note(this.state, "an order failed", String(error));
      }
    }
  }

  async #health(): Promise<void> {
    while (!this.#isOver) {
      const fromMs = performance.now();
      try {
        await (await fetch(`${this.world.daemon.proxyUrl}/health`)).text();
        if (!this.#isEnding) this.#slowestHealthMs = Math.max(this.#slowestHealthMs, performance.now() - fromMs);
      } catch (error) {
        if (!this.#isEnding) note(this.state, "no health", String(error));
      }
      await Bun.sleep(HEALTH_EVERY_MS);
    }
  }

  async #end(how: "terminated" | "killed"): Promise<void> {
    const { state, tally, world } = this;
    this.#isEnding = true;
    if (how === "killed") {
      const sinceMs = performance.now() - UNWRITTEN_MS;
      const lost = this.#recent.filter(({ atMs }) => atMs >= sinceMs).reduce((sum, { turns }) => sum + turns, 0);
      tally.certain -= lost;
      tally.uncertain += lost;
    }
    await world.restart(how);
    state.restarts[how]++;
    this.#isEnding = false;
  }

  /** Nobody asks any more: what is still there will stay. */
  async #rest(): Promise<Sample> {
    const { world, state, plan } = this;
    const { sim, daemon } = world;
    const upToMs = performance.now() + SILENCE_MAX_MS;
    let left = await this.#left();
    while (left !== "" && performance.now() < upToMs) {
      await Bun.sleep(100);
      left = await this.#left();
    }
    if (left !== "") note(state, "something never ended", `${left} after stretch ${plan.number}`);
    await heal(world);
    await this.#checkLedger();
    const figures = figuresOf(daemon.pid);
    const exchanges = await daemon.control.exchanges();
    return {
      ...figures,
      atMs: state.ranMs,
      life: state.starts * 1_000 + world.life,
      leases: await daemon.control.openLeases(),
      openExchanges: exchanges.filter(({ endTime }) => endTime === undefined).length,
      upstreamStreams: sim.gauges.openStreams,
      upstreamConnections: await world.upstreamConnections(),
      slowestHealthMs: Math.round(this.#slowestHealthMs),
    };
  }

  async #left(): Promise<string> {
    const { sim, daemon } = this.world;
    const leases = await daemon.control.openLeases();
    const exchanges = (await daemon.control.exchanges()).filter(({ endTime }) => endTime === undefined);
    const parts = [
      leases > 0 ? `${leases} leases` : "",
      exchanges.length > 0 ? `${exchanges.length} open exchanges` : "",
      sim.gauges.openStreams > 0 ? `${sim.gauges.openStreams} upstream streams` : "",
    ];
    return parts.filter((part) => part !== "").join(", ");
  }

  async #checkLedger(): Promise<void> {
    const { world, tally, state, plan } = this;
    const { buckets = [] } = await world.daemon.control.call<{
      buckets?: { label?: string; totals: { requests?: string } }[];
    }>("UsageService/QueryUsage", { groupBy: "USAGE_GROUP_KEY" });
    const rows = Number(buckets.find(({ label }) => label === world.keyName)?.totals.requests ?? 0);
    if (rows < tally.certain || rows > tally.certain + tally.uncertain) {
      const words = `${rows} in the ledger, ${tally.certain} to ${tally.certain + tally.uncertain} were asked`;
      note(state, "the ledger is wrong", `${words}, after stretch ${plan.number}`);
    }
  }
}
