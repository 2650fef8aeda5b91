const given = script.options || {};
const ownThresholds = given.thresholds || {};

// What k6 takes a sub-metric for: its metric and tags. Of two names for one sub-metric, such as
// `m{a:b}` and `m{ a:"b" }`, k6 heeds the thresholds of one only, and drops the other's unsaid.
const identity = (name) => {
  const open = name.indexOf('{');
  if (open < 0 || !name.endsWith('}')) return name;
  const bare = (text) => text.trim().replace(/^["']+|["']+$/g, '');
  const tags = name.slice(open + 1, -1).split(',').map((pair) => {
    const [tag, ...value] = pair.split(':');
    return [bare(tag), bare(value.join(':'))].join(':');
  });
  return name.slice(0, open) + JSON.stringify(tags.sort());
};

export const options = (() => {
  const o = Object.assign({}, given);
  if (merge.scenarios) {
    for (const shortcut of ['vus', 'duration', 'iterations', 'stages']) delete o[shortcut];
    o.scenarios = merge.scenarios;
  }
  // Our setup and teardown tell when the load starts and ends, so they must run; they honour the
  // script's wish below.
  delete o.noSetup;
  delete o.noTeardown;
  o.tags = Object.assign({}, given.tags, merge.tags);
  o.thresholds = Object.assign({}, ownThresholds);
  // One name for each sub-metric; ours where we ask for it, as its figures are looked up by it.
  const names = new Map();
  for (const name of Object.keys(merge.thresholds).concat(Object.keys(ownThresholds))) {
    const known = names.get(identity(name));
    if (known === undefined) names.set(identity(name), name);
    else if (known !== name && o.thresholds[name] !== undefined) {
      o.thresholds[known] = [].concat(o.thresholds[known] || [], o.thresholds[name]);
      delete o.thresholds[name];
    }
  }
  for (const asked of Object.keys(merge.thresholds)) {
    const name = names.get(identity(asked));
    const own = o.thresholds[name] === undefined ? [] : [].concat(o.thresholds[name]);
    const said = own.map((t) => (t && typeof t === 'object' ? t.threshold : t));
    o.thresholds[name] = own.concat(merge.thresholds[asked].filter((t) => !said.includes(t)));
  }
  const union = (a, b) => a.concat(b.filter((x) => !a.includes(x)));
  const stats = given.summaryTrendStats || ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)'];
  o.summaryTrendStats = union(stats, merge.trendStats);
  o.blacklistIPs = union(given.blacklistIPs || [], merge.blacklist);
  const defaults = ['proto', 'subproto', 'status', 'method', 'url', 'name', 'group', 'check', 'error',
    'error_code', 'tls_version', 'scenario', 'service', 'expected_response'];
  if (given.systemTags) o.systemTags = union([].concat(given.systemTags), merge.systemTags);
  else if (!merge.systemTags.every((t) => defaults.includes(t))) o.systemTags = union(defaults, merge.systemTags);
  return o;
})();

export function setup() {
  const started = (data) => {
    console.log(marker + 'start ' + Date.now());
    return data;
  };
  const data = given.noSetup || typeof script.setup !== 'function' ? undefined : script.setup();
  return data && typeof data.then === 'function' ? data.then(started) : started(data);
}

export function teardown(data) {
  console.log(marker + 'end ' + Date.now());
  return given.noTeardown || typeof script.teardown !== 'function' ? undefined : script.teardown(data);
}

export function handleSummary(data) {
  const out = {};
  // First of all, so that nothing that the script does to the data can change what is judged.
  out[summaryFile] = JSON.stringify({ metrics: data.metrics });
  if (typeof script.handleSummary !== 'function') return out;
  const failed = (e) => {
    console.error('handleSummary() of the script failed: ' + ((e && e.stack) || e));
    return out;
  };
  try {
    const theirs = script.handleSummary(data);
    if (theirs && typeof theirs.then === 'function') {
      return theirs.then((files) => Object.assign({}, files, out), failed);
    }
    return Object.assign({}, theirs, out);
  } catch (e) {
    return failed(e);
  }
}
