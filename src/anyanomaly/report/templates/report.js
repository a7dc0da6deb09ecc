"use strict";
// Draws the timelines with BokehJS, and connects them with the events and the player of each video.
(() => {
  const report = JSON.parse(document.getElementById("report-data").textContent);
  const LEFT = 40, RIGHT = 24, CURVE_COLOURS = ["--context-1", "--context-2", "--context-3", "--context-4"];
  const shown = new Set(["curve", "raw"]);
  const videos = [];

  const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const element = (tag, name, text) => {
    const made = document.createElement(tag);
    made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const clock = (seconds) => {
    const tenths = Math.round(seconds * 10), whole = Math.floor(tenths / 10);
    const pad = (n) => String(n).padStart(2, "0");
    return `${Math.floor(whole / 3600)}:${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}.${tenths % 10}`;
  };
  const UNASKED = -Infinity;  // in place of the score of a context that the model was not asked about
  const score = (value) => (value === UNASKED ? "not asked" : Number.isNaN(value) ? "–" : value.toFixed(2));
  // Position of the last entry that is not above `value`; -1: none.
  const lastBelow = (sorted, value) => {
    let low = 0, high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] <= value) low = middle + 1; else high = middle;
    }
    return low - 1;
  };

  class Chart {
    constructor(video, packed, figure) {
      this.video = video;
      this.packed = packed;
      this.plot = figure.querySelector(".plot");
      this.model = null;
      this.cursor = element("div", "cursor");
      this.hover = element("div", "cursor hover");
      this.tip = element("div", "tip");
      for (const part of [this.cursor, this.hover, this.tip]) {
        part.hidden = true;
        part.setAttribute("aria-hidden", "true");
        this.plot.append(part);
      }
      this.listen();
    }

    get data() {
      if (!this.unpacked) {
        const { contexts, reasons, events, truth, unasked, scores, gates, priorities, ...columns } = this.packed;
        this.unpacked = { contexts, reasons, events, truth, unasked, gates, scores: scores.map(floats), priorities: priorities.map(floats) };
        for (const [name, text] of Object.entries(columns)) this.unpacked[name] = floats(text);
        this.packed = null;
      }
      return this.unpacked;
    }

    // Whether the model was asked about the segment of a row; otherwise its value is of the gates.
    isAsked(row) {
      const { scores } = this.data;
      return !scores.length || scores.some((values) => values[row] !== UNASKED);
    }

    async draw() {
      if (this.isDrawn) return;
      this.isDrawn = true;
      const prefix = `${this.plot.parentElement.id}-`;
      const item = JSON.parse(JSON.stringify(report.chart), (key, value) => (key === "id" || key === "root_id" ? prefix + value : value));
      const holder = element("div", "bokeh");
      this.plot.prepend(holder);
      const views = await Bokeh.embed.embed_item(item, holder);
      const view = Array.isArray(views) ? views[0] : views.roots[0];
      this.model = view.model;
      this.named = (name) => this.model.document.get_model_by_name(name);
      this.fill();
      this.paint();
      this.showSeries();
      const range = this.model.x_range;
      range.connect(range.change, () => this.video.setRange(range.start / 1000, range.end / 1000));
      this.plot.classList.add("drawn");
      this.place();
    }

    fill() {
      const { start, stop, value, scores, time, curve, events, truth, unasked } = this.data;
      const [low, high] = report.limits, margin = (high - low) * 0.03, truthHeight = truth.length ? (high - low) * 0.13 : 0;
      const milliseconds = (array) => Float64Array.from(array, (seconds) => seconds * 1000);
      const steps = (values) => {
        const x = [], y = [];
        for (let row = 0; row < values.length; row++) {
          if (row && start[row] - stop[row - 1] > 0.01 * (stop[row] - start[row]) + 0.001) { x.push(NaN); y.push(NaN); }
          x.push(start[row] * 1000, stop[row] * 1000);
          const level = values[row] === UNASKED ? NaN : values[row];
          y.push(level, level);
        }
        return { x: Float64Array.from(x), y: Float64Array.from(y) };
      };
      const areas = (spans, bottom, top) => ({
        left: spans.map((span) => span[0] * 1000), right: spans.map((span) => span[1] * 1000),
        bottom: spans.map(() => bottom), top: spans.map(() => top),
      });
      this.model.y_range.setv({ start: low - margin, end: high + margin + truthHeight });
      this.named("curve").data = { x: milliseconds(time), y: Float64Array.from(curve) };
      this.named("raw").data = steps(value.map((level, row) => (this.isAsked(row) ? level : NaN)));
      this.named("gate").data = steps(value.map((level, row) => (this.isAsked(row) ? NaN : level)));
      this.named("unasked").data = areas(unasked, low - margin, high + margin);
      scores.forEach((values, position) => { this.named(`context-${position}`).data = steps(values); });
      this.named("events").data = areas(events, low - margin, high + margin);
      this.named("truth").data = areas(truth, high + margin + truthHeight * 0.25, high + margin + truthHeight * 0.85);
      const threshold = this.named("threshold");
      threshold.setv(report.threshold === null ? { visible: false } : { location: report.threshold });
      const { start: first, end: last } = this.video.range, [from, to] = this.video.extent;
      this.model.x_range.setv({ start: first * 1000, end: last * 1000, bounds: [from * 1000, to * 1000] });
      if (to < 3600) {
        const units = ["seconds", "minsec", "minutes", "hourmin", "hours", "days", "months", "years"];
        this.named("ticks").setv({ milliseconds: "%M:%S.%1N", ...Object.fromEntries(units.map((unit) => [unit, "%M:%S"])) });
      }
    }

    paint() {
      if (!this.model) return;
      const line = (name, variable) => this.named(`${name}-glyph`).setv({ line_color: colour(variable) });
      line("curve", "--accent");
      line("raw", "--raw");
      line("gate", "--raw");
      this.named("unasked-glyph").setv({ line_color: null, fill_color: colour("--unasked"), fill_alpha: 0.12, hatch_color: colour("--unasked"), hatch_alpha: 0.6 });
      this.data.scores.forEach((_, position) => line(`context-${position}`, CURVE_COLOURS[position % 4]));
      for (const name of ["event", "truth"]) {
        this.named(`${name === "event" ? "events" : name}-glyph`).setv({ line_color: colour(`--${name}`), fill_color: colour(`--${name}-fill`), line_alpha: 0.6 });
      }
      this.named("threshold").setv({ line_color: colour("--threshold") });
      this.named("grid").setv({ grid_line_color: colour("--line") });
      for (const name of ["time", "score"]) {
        this.named(name).setv({ major_label_text_color: colour("--muted"), major_tick_line_color: colour("--line-strong") });
      }
    }

    showSeries() {
      if (!this.model) return;
      for (const name of ["curve", "raw", ...this.data.scores.map((_, position) => `context-${position}`)]) {
        this.named(`${name}-renderer`).visible = shown.has(name);
      }
      this.named("gate-renderer").visible = shown.has("raw");
    }

    setRange() {
      const { start, end } = this.video.range;
      if (this.model) this.model.x_range.setv({ start: start * 1000, end: end * 1000 });
      this.hover.hidden = this.tip.hidden = true;
      this.place();
    }

    left(seconds) {
      const { start, end } = this.video.range, width = this.plot.clientWidth - LEFT - RIGHT;
      return LEFT + ((seconds - start) / (end - start)) * width;
    }

    seconds(clientX) {
      const box = this.plot.getBoundingClientRect(), { start, end } = this.video.range;
      const part = (clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
      return start + Math.min(Math.max(part, 0), 1) * (end - start);
    }

    // Moves the line of playback.
    place() {
      const { at, range } = this.video;
      this.cursor.hidden = at === null || at < range.start || at > range.end;
      if (!this.cursor.hidden) this.cursor.style.left = `${this.left(at)}px`;
    }

    listen() {
      let pressed = null;
      this.plot.addEventListener("pointerdown", (event) => { pressed = event.clientX; });
      this.plot.addEventListener("click", (event) => {
        if (event.pointerType === "touch") this.explain(event);
        if (pressed === null || Math.abs(event.clientX - pressed) < 5) this.video.seek(this.seconds(event.clientX), false);
      });
      this.plot.addEventListener("dblclick", () => this.video.setRange(...this.video.extent));
      this.plot.addEventListener("pointermove", (event) => this.explain(event));
      this.plot.addEventListener("pointerleave", () => { this.hover.hidden = this.tip.hidden = true; });
    }

    explain(event) {
      const at = this.seconds(event.clientX), data = this.data;
      this.hover.hidden = this.tip.hidden = false;
      this.hover.style.left = `${this.left(at)}px`;
      this.tip.replaceChildren(element("div", "when", clock(at)));
      const list = element("dl", "");
      const add = (name, value) => list.append(element("dt", "", name), element("dd", value === UNASKED ? "unasked" : "", score(value)));
      const point = lastBelow(data.time, at);
      if (point >= 0) add("smoothed", data.curve[point]);
      const row = lastBelow(data.start, at);
      const reason = row >= 0 && at <= data.stop[row] ? data.reasons[data.reason[row]] : "";
      if (row >= 0 && at <= data.stop[row]) {
        add("segment", this.isAsked(row) ? data.value[row] : UNASKED);
        if (this.isAsked(row)) data.contexts.forEach((name, position) => add(name, data.scores[position][row]));
        data.gates.forEach((name, position) => add(`gate ${name}`, data.priorities[position][row]));
      }
      this.tip.append(list);
      if (reason) this.tip.append(element("p", "", reason));
      const width = this.plot.clientWidth, left = this.left(at);
      this.tip.style.left = `${Math.max(0, Math.min(left + 12, width - this.tip.offsetWidth))}px`;
      this.tip.style.top = `${this.plot.clientHeight + 4}px`;
    }
  }

  class VideoSection {
    constructor(section, packed) {
      this.section = section;
      this.extent = packed.extent;
      this.range = { start: packed.extent[0], end: packed.extent[1] };
      this.at = null;
      this.player = section.querySelector(".player video");
      this.charts = packed.charts.map((chart, number) => new Chart(this, chart, document.getElementById(`${section.id}t${number}`)));
      this.cards = [...section.querySelectorAll(".event")];
      this.connectPlayer();
      this.connectToolbar();
      section.addEventListener("click", (event) => {
        const button = event.target.closest("[data-seek]");
        if (button) this.play(button.closest(".event"), Number(button.dataset.seek));
      });
      for (const select of section.querySelectorAll("[data-filter], [data-sort]")) select.addEventListener("change", () => this.arrange());
    }

    setRange(start, end) {
      if (this.isSetting || (start === this.range.start && end === this.range.end)) return;
      this.isSetting = true;
      this.range = { start, end };
      for (const chart of this.charts) chart.setRange();
      this.isSetting = false;
    }

    zoom(direction) {
      const [first, last] = this.extent, { start, end } = this.range, length = end - start;
      const factor = { in: 0.5, out: 2 }[direction] ?? 1, shift = { left: -0.5, right: 0.5 }[direction] ?? 0;
      const centre = direction === "in" && this.at !== null && this.at >= start && this.at <= end ? this.at : (start + end) / 2 + shift * length;
      const size = direction === "all" ? last - first : Math.min(Math.max(length * factor, 0.4), last - first);
      const from = Math.min(Math.max(centre - size / 2, first), last - size);
      this.setRange(from, from + size);
    }

    // Moves the cursor and the player to a time.
    seek(seconds, isPlaying) {
      this.at = seconds;
      if (this.player && !this.isBroken) {
        this.player.currentTime = seconds;
        if (isPlaying) this.player.play().catch(() => {});
      }
      this.place();
    }

    play(card, seconds) {
      this.mark(card);
      const { start, end } = this.range;
      if (seconds < start || seconds > end) this.setRange(...this.extent);
      this.seek(seconds, true);
      const target = this.player && !this.isBroken ? this.player : this.charts[Number(card.dataset.text)].plot;
      const box = target.getBoundingClientRect();
      if (box.bottom < 0 || box.top > innerHeight) target.scrollIntoView({ block: "nearest" });
    }

    mark(card) {
      for (const other of document.querySelectorAll(".event.current")) other.classList.remove("current");
      card.classList.add("current");
    }

    place() {
      for (const chart of this.charts) chart.place();
    }

    arrange() {
      const filter = this.section.querySelector("[data-filter]")?.value ?? "", sort = this.section.querySelector("[data-sort]").value;
      const list = this.section.querySelector(".events"), cards = [...list.children];
      const key = (card) => (sort === "peak" ? -Number(card.dataset.peak) : Number(card.dataset.start));
      cards.sort((a, b) => key(a) - key(b));
      for (const card of cards) card.hidden = filter !== "" && card.dataset.text !== filter;
      list.append(...cards);
    }

    connectToolbar() {
      for (const button of this.section.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => this.zoom(button.dataset.zoom));
      for (const button of this.section.querySelectorAll("[data-series]")) {
        button.addEventListener("click", () => {
          const name = button.dataset.series;
          if (!shown.delete(name)) shown.add(name);
          for (const other of document.querySelectorAll(`[data-series="${name}"]`)) other.setAttribute("aria-pressed", String(shown.has(name)));
          for (const video of videos) for (const chart of video.charts) chart.showSeries();
        });
      }
    }

    connectPlayer() {
      if (!this.player) return;
      const follow = () => {
        this.at = this.player.currentTime;
        this.place();
        if (!this.player.paused) requestAnimationFrame(follow);
      };
      this.player.addEventListener("play", follow);
      this.player.addEventListener("seeked", follow);
      const fail = () => {
        this.isBroken = true;
        const note = this.section.querySelector(".player-error");
        note.textContent = "This browser cannot play the video: the file is not where it was when the report was written, or has a codec that the browser lacks. The pictures of the events are here.";
        note.hidden = false;
        this.player.hidden = true;
      };
      this.player.addEventListener("error", fail);
      if (this.player.error) fail();
    }
  }

  // The next or previous event of the page, in the order shown.
  const step = (direction) => {
    const cards = [...document.querySelectorAll(".video .events .event")].filter((card) => card.offsetParent !== null);
    if (!cards.length) return;
    const current = cards.findIndex((card) => card.contains(document.activeElement) || card.classList.contains("current"));
    const next = cards[Math.min(Math.max(current + direction, 0), cards.length - 1)];
    const video = videos.find((section) => section.section.contains(next));
    video.mark(next);
    video.at = Number(next.dataset.at);
    video.place();
    next.querySelector(".play").focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, video, input, textarea")) return;
    const inEvents = event.target.closest(".event");
    if (event.key === "j" || (inEvents && event.key === "ArrowDown")) { event.preventDefault(); step(1); }
    if (event.key === "k" || (inEvents && event.key === "ArrowUp")) { event.preventDefault(); step(-1); }
  });

  document.querySelectorAll("section.video").forEach((section, number) => videos.push(new VideoSection(section, report.videos[number])));
  for (const link of document.querySelectorAll(".mistakes [data-seek]")) {
    link.addEventListener("click", () => videos.find((video) => video.section.id === link.dataset.video).seek(Number(link.dataset.seek), false));
  }
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      observer.unobserve(entry.target);
      charts.get(entry.target).draw();
    }
  }, { rootMargin: "200px" });
  const charts = new Map(videos.flatMap((video) => video.charts.map((chart) => [chart.plot, chart])));
  for (const plot of charts.keys()) observer.observe(plot);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const chart of charts.values()) chart.paint(); });
  addEventListener("resize", () => { for (const chart of charts.values()) chart.place(); });
})();
