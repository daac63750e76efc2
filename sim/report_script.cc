#include "sim/report_script.h"

namespace spillway::sim {

namespace {

constexpr std::string_view style = R"css(
:root { color-scheme: light dark; --page: #f9f9f7; --surface: #fcfcfb; --ink: #0b0b0b; --soft: #52514e; --faint: #75736d;
  --grid: #e1e0d9; --axis: #b5b3a9; --edge: rgba(11, 11, 11, 0.12); --bad: #b3261e;
  --c0: #2a78d6; --c1: #eb6834; --c2: #158a5c; --c3: #4a3aa7; --c4: #b37700; --c5: #c2417c; --c6: #e34948; --c7: #007d8a; }
@media (prefers-color-scheme: dark) { :root { --page: #0d0d0d; --surface: #1a1a19; --ink: #ffffff; --soft: #c3c2b7;
  --faint: #98968e; --grid: #2f2f2d; --axis: #55544f; --edge: rgba(255, 255, 255, 0.14); --bad: #ff8a80;
  --c0: #4c94ea; --c1: #e5703a; --c2: #27a878; --c3: #9b90ec; --c4: #d09417; --c5: #e06a9b; --c6: #e66767; --c7: #2aa5b3; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 20px 16px 48px; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 32px 0 10px; } h3 { font-size: 15px; margin: 0; }
p { margin: 0; } .sub { color: var(--soft); }
.warning { border: 1px solid var(--bad); border-left-width: 5px; color: var(--bad); border-radius: 6px; padding: 8px 12px; margin: 14px 0 0;
  background: var(--surface); font-weight: 600; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 10px; margin: 18px 0 0; }
.tile, figure, .table { background: var(--surface); border: 1px solid var(--edge); border-radius: 8px; }
.tile { padding: 10px 14px; } .tile b { display: block; font-size: 24px; font-weight: 600; line-height: 1.2; }
.tile span { color: var(--soft); font-size: 13px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 12px; }
figure { margin: 0; padding: 12px 14px 10px; position: relative; min-width: 0; } figcaption p { color: var(--soft); font-size: 13px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px; color: var(--soft); margin-top: 4px; }
.legend i { display: inline-block; width: 14px; height: 3px; border-radius: 2px; margin-right: 5px; vertical-align: middle; }
.plot { position: relative; margin-top: 6px; } svg { display: block; width: 100%; overflow: visible; touch-action: pan-y; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--faint); } svg .value { fill: var(--ink); }
svg .end { fill: var(--soft); } .grid { stroke: var(--grid); } .axis { stroke: var(--axis); }
.mark { stroke: var(--soft); stroke-dasharray: 4 3; }
.tip { position: absolute; pointer-events: none; background: var(--surface); border: 1px solid var(--axis); border-radius: 6px;
  padding: 5px 9px; font-size: 12px; white-space: nowrap; display: none; z-index: 2; } .tip b { font-variant-numeric: tabular-nums; }
.table { overflow-x: auto; padding: 4px 0; } table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 5px 14px; text-align: right; font-variant-numeric: tabular-nums; border-bottom: 1px solid var(--grid); }
th { color: var(--soft); font-weight: 600; } tr:last-child td { border-bottom: 0; }
.word { text-align: left; font-variant-numeric: normal; } td.word:nth-child(n+2) { color: var(--soft); }
ul { margin: 0; padding-left: 20px; color: var(--soft); }
)css";

constexpr std::string_view script = R"js(
(function () {
  'use strict';
  var charts = JSON.parse(document.getElementById('charts').textContent);
  function esc(s) { return String(s).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;'); }
  function px(v) { return Math.round(v * 10) / 10; }
  function number(v) {
    if (v === null || !isFinite(v)) return '-';
    var a = Math.abs(v), digits = a >= 100 || v === Math.round(v) ? 0 : a >= 10 ? 1 : a >= 1 ? 2 : 3;
    var parts = (a > 0 && a < 0.001 ? v.toPrecision(2) : v.toFixed(digits)).split('.');
    parts[0] = parts[0].replace(/\B(?=(\d{3})+(?!\d))/g, ',');
    return parts.join('.');
  }
  function tickText(v, step) {
    var digits = step ? Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) : v >= 1 ? 0 : Math.ceil(-Math.log10(v) - 1e-9);
    return v.toFixed(Math.min(digits, 6)).replace(/\B(?=(\d{3})+(?!\d))/g, digits ? '' : ',');
  }
  function extent(chart, key) {
    var lo = Infinity, hi = -Infinity;
    chart.series.forEach(function (s) {
      [s[key], key === 'y' ? s.low : null, key === 'y' ? s.high : null].forEach(function (list) {
        (list || []).forEach(function (v) { if (v !== null) { lo = Math.min(lo, v); hi = Math.max(hi, v); } });
      });
    });
    if (key === 'x') chart.marks.forEach(function (m) { lo = Math.min(lo, m.x); hi = Math.max(hi, m.x); });
    return lo <= hi ? [lo, hi] : [0, 1];
  }
  // A scale: where a value lies between `from` and `to`, and the ticks.
  function scale(axis, range, from, to, wanted) {
    var lo = range[0], hi = range[1], ticks = [], step = 0, v;
    if (axis.log) {
      lo = Math.max(lo, 1e-6); hi = Math.max(hi, lo * 1.01);
      var decades = Math.log10(hi / lo), parts = decades > 2.2 ? [1] : decades > 0.9 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 7];
      for (var e = Math.floor(Math.log10(lo)); e <= Math.ceil(Math.log10(hi)); ++e) {
        parts.forEach(function (p) { var t = p * Math.pow(10, e); if (t >= lo * 0.999 && t <= hi * 1.001) ticks.push(t); });
      }
    } else {
      if (hi <= lo) hi = lo + 1;
      var raw = (hi - lo) / wanted, power = Math.pow(10, Math.floor(Math.log10(raw)));
      step = [1, 2, 5, 10].map(function (f) { return f * power; }).filter(function (s) { return s >= raw * 0.999; })[0];
      if (!axis.exact) hi = Math.ceil(hi / step - 1e-9) * step;
      for (v = Math.ceil(lo / step - 1e-9); v * step <= hi * 1.0001; ++v) ticks.push(v * step);
    }
    return {
      ticks: ticks, step: step,
      at: function (value) {
        var share = axis.log ? Math.log(Math.max(value, lo) / lo) / Math.log(hi / lo) : (value - lo) / (hi - lo);
        return from + share * (to - from);
      },
      value: function (place) {
        var share = (place - from) / (to - from);
        return axis.log ? lo * Math.pow(hi / lo, share) : lo + share * (hi - lo);
      }
    };
  }
  function path(chart, s, x, y) {
    var d = '', open = false, last = 0;
    s.x.forEach(function (v, i) {
      if (s.y[i] === null) { open = false; return; }
      var here = px(x.at(v)) + ' ' + px(y.at(s.y[i]));
      if (!open) d += 'M' + here;
      else if (chart.kind === 'steps') d += 'L' + px(x.at(v)) + ' ' + last + 'L' + here;
      else d += 'L' + here;
      open = true; last = px(y.at(s.y[i]));
    });
    return d;
  }
  function band(s, x, y) {
    if (!s.low || !s.low.length) return '';
    var up = [], down = [];
    s.x.forEach(function (v, i) {
      if (s.low[i] === null || s.high[i] === null) return;
      up.push(px(x.at(v)) + ' ' + px(y.at(s.high[i]))); down.unshift(px(x.at(v)) + ' ' + px(y.at(s.low[i])));
    });
    return up.length ? '<path d="M' + up.concat(down).join('L') + 'Z" fill="var(--c' + s.colour + ')" opacity="0.16"/>' : '';
  }
  // Names at the ends of the lines, where they are apart; the legend names them anyway.
  function endLabels(chart, x, y, room) {
    var ends = chart.series.map(function (s) {
      for (var i = s.x.length - 1; i >= 0; --i) if (s.y[i] !== null) return { s: s, x: x.at(s.x[i]), y: y.at(s.y[i]) };
      return null;
    }).filter(function (e) { return e !== null; }).sort(function (a, b) { return a.y - b.y; });
    for (var i = 1; i < ends.length; ++i) if (ends[i].y - ends[i - 1].y < 13) return '';
    return ends.map(function (e) {
      var name = e.s.name.length * 6.4 > room ? e.s.name.slice(0, Math.floor(room / 6.4) - 1) + '…' : e.s.name;
      return '<text class="end" x="' + px(e.x + 6) + '" y="' + px(e.y + 4) + '">' + esc(name) + '</text>';
    }).join('');
  }
  function markLines(chart, x, top, bottom, right) {
    return chart.marks.map(function (m, i) {
      var at = px(x.at(m.x)), left = at > right - 120;
      return '<line class="mark" x1="' + at + '" x2="' + at + '" y1="' + top + '" y2="' + bottom + '"/><text class="end" x="' +
        (left ? at - 4 : at + 4) + '" y="' + (bottom - 8 - 14 * i) + '"' +
        (left ? ' text-anchor="end"' : '') + '>' + esc(m.text) + '</text>';
    }).join('');
  }
  function frame(chart, x, y, box) {
    var out = '';
    y.ticks.forEach(function (t) {
      var at = px(y.at(t));
      out += '<line class="grid" x1="' + box.left + '" x2="' + box.right + '" y1="' + at + '" y2="' + at + '"/><text x="' + (box.left - 6) +
        '" y="' + (at + 4) + '" text-anchor="end">' + tickText(t, y.step) + '</text>';
    });
    x.ticks.forEach(function (t) {
      var at = px(x.at(t));
      out += '<line class="axis" x1="' + at + '" x2="' + at + '" y1="' + box.bottom + '" y2="' + (box.bottom + 4) + '"/><text x="' + at +
        '" y="' + (box.bottom + 17) + '" text-anchor="middle">' + tickText(t, x.step) + '</text>';
    });
    return out + '<line class="axis" x1="' + box.left + '" x2="' + box.right + '" y1="' + box.bottom + '" y2="' + box.bottom + '"/>' +
      '<text class="end" x="0" y="11">' + esc(chart.y.name) + '</text><text class="end" x="' + box.right + '" y="' + (box.bottom + 33) +
      '" text-anchor="end">' + esc(chart.x.name) + '</text>';
  }
  function hover(plot, chart, x, y, box) {
    var svg = plot.querySelector('svg'), tip = plot.querySelector('.tip'), cross = svg.querySelector('.cross');
    function hide() { tip.style.display = 'none'; cross.innerHTML = ''; }
    svg.onpointerleave = hide;
    svg.onpointermove = function (event) {
      var place = event.clientX - svg.getBoundingClientRect().left;
      if (place < box.left || place > box.right) return hide();
      var wish = x.value(place), lines = [], dots = '', at = null;
      chart.series.forEach(function (s) {
        var best = -1;
        s.x.forEach(function (v, i) { if (s.y[i] !== null && (best < 0 || Math.abs(v - wish) < Math.abs(s.x[best] - wish))) best = i; });
        if (best < 0) return;
        if (at === null || Math.abs(s.x[best] - wish) < Math.abs(at - wish)) at = s.x[best];
        lines.push('<i style="color:var(--c' + s.colour + ')">●</i> ' + esc(s.name) + ' <b>' + number(s.y[best]) + '</b>');
        dots += '<circle cx="' + px(x.at(s.x[best])) + '" cy="' + px(y.at(s.y[best])) + '" r="3.5" fill="var(--c' + s.colour + ')"/>';
      });
      if (at === null) return hide();
      var here = px(x.at(at));
      cross.innerHTML = '<line class="axis" x1="' + here + '" x2="' + here + '" y1="' + box.top + '" y2="' + box.bottom + '"/>' + dots;
      tip.innerHTML = '<b>' + number(at) + '</b> ' + esc(chart.x.name) + '<br>' + lines.join('<br>');
      tip.style.display = 'block';
      tip.style.left = Math.max(0, Math.min(here + 12, plot.clientWidth - tip.offsetWidth)) + 'px';
      tip.style.top = (box.top + 6) + 'px';
    };
  }
  function opened(chart, width, height) {
    return '<svg height="' + height + '" viewBox="0 0 ' + width + ' ' + height + '" role="img" aria-label="' + esc(chart.title) + '">';
  }
  function drawLines(plot, chart, width) {
    var many = chart.series.length > 1, height = width < 480 ? 230 : 270;
    var longest = Math.max.apply(null, chart.series.map(function (s) { return s.name.length; }));
    var room = many && width >= 460 ? Math.min(110, 10 + 6.6 * longest) : 14;
    var box = { left: 52, right: width - room, top: 22, bottom: height - 40 };
    var yr = extent(chart, 'y'), xr = extent(chart, 'x');
    if (!chart.x.log) xr[0] = Math.min(0, xr[0]);
    if (!chart.y.log) yr[0] = Math.min(0, yr[0]);
    if (chart.y.max) yr[1] = chart.y.max;
    if (chart.x.max) xr[1] = chart.x.max;
    var x = scale({ log: chart.x.log, exact: true }, xr, box.left, box.right, width < 480 ? 4 : 7);
    var y = scale({ log: chart.y.log }, yr, box.bottom, box.top, 4);
    var body = frame(chart, x, y, box);
    chart.series.forEach(function (s) { body += band(s, x, y); });
    chart.series.forEach(function (s) {
      body += '<path d="' + path(chart, s, x, y) + '" fill="none" stroke="var(--c' + s.colour +
        ')" stroke-width="2" stroke-linejoin="round"/>';
    });
    body += markLines(chart, x, box.top, box.bottom, box.right);
    if (many && width >= 460) body += endLabels(chart, x, y, room - 8);
    plot.innerHTML = opened(chart, width, height) + body + '<g class="cross"></g></svg><div class="tip"></div>';
    hover(plot, chart, x, y, box);
  }
  function drawBars(plot, chart, width) {
    var row = 32, height = 30 + row * chart.series.length, widest = 0;
    chart.series.forEach(function (s) { widest = Math.max(widest, s.name.length); });
    var left = Math.min(width * 0.4, 12 + widest * 7), right = width - 70;
    var hi = extent(chart, 'y')[1], x = scale({ exact: true }, [0, chart.y.max || (hi > 0 ? hi : 1)], left, right, 4);
    var body = '<text class="end" x="0" y="11">' + esc(chart.y.name) + '</text>';
    chart.series.forEach(function (s, i) {
      var top = 22 + i * row, v = s.y[0], end = v === null ? left : px(x.at(Math.max(0, v)));
      body += '<text class="end" x="0" y="' + (top + 15) + '">' + esc(s.name) + '</text><rect x="' + left +
        '" y="' + top + '" height="20" rx="3" width="' +
        px(Math.max(0, end - left)) + '" fill="var(--c' + s.colour + ')"/>';
      var after = end;
      if (s.low && s.low.length && s.low[0] !== null && s.high[0] !== null) {
        var a = px(x.at(Math.max(0, s.low[0]))), b = px(x.at(s.high[0]));
        after = Math.max(end, b);
        body += '<path d="M' + a + ' ' + (top + 10) + 'H' + b + 'M' + a + ' ' + (top + 5) + 'v10M' + b + ' ' + (top + 5) +
          'v10" stroke="var(--ink)" fill="none"/>';
      }
      body += '<text class="value" x="' + (after + 6) + '" y="' + (top + 15) + '">' + number(v) + '</text>';
    });
    body += '<line class="axis" x1="' + left + '" x2="' + left + '" y1="18" y2="' + (height - 4) + '"/>';
    plot.innerHTML = opened(chart, width, height) + body + '</svg>';
  }
  function draw(plot) {
    var chart = charts[+plot.getAttribute('data-chart')], width = Math.floor(plot.clientWidth);
    if (width < 50 || width === plot.drawn) return;
    plot.drawn = width;
    (chart.kind === 'bars' ? drawBars : drawLines)(plot, chart, width);
  }
  var plots = Array.prototype.slice.call(document.querySelectorAll('[data-chart]'));
  plots.forEach(draw);
  window.addEventListener('resize', function () { window.requestAnimationFrame(function () { plots.forEach(draw); }); });
}());
)js";

}  // namespace

std::string_view report_style() {
  return style;
}

std::string_view report_script() {
  return script;
}

}  // namespace spillway::sim
