// The four kinds of users of the lead API, and the mix that every test drives.
//
// Environment:
//   BASE_URL          where the API is; required
//   API_KEY           key of the API integration; 'demo-key' unless given
//   THINK_TIME_SCALE  multiplies all think times; 1 unless given. A rehearsal of seconds needs a
//                     small one, or nobody would get past the first request.
//
// All data is made up and marked as such: source "load-test", addresses at example.com.

import http from 'k6/http';
import exec from 'k6/execution';
import { check, group, sleep } from 'k6';

if (!__ENV.BASE_URL) {
  throw new Error(
    'BASE_URL is not set: name the API under test, for example -e BASE_URL=http://127.0.0.1:8080'
  );
}

const BASE_URL = __ENV.BASE_URL.replace(/\/+$/, '');
const API_KEY = __ENV.API_KEY || 'demo-key';
const THINK_TIME_SCALE = Number(__ENV.THINK_TIME_SCALE || 1);

if (!(THINK_TIME_SCALE >= 0)) {
  throw new Error(`THINK_TIME_SCALE is '${__ENV.THINK_TIME_SCALE}', but must be a number of 0 or more`);
}

const JSON_HEADERS = { 'Content-Type': 'application/json' };

// A pause of between `from` and `to` seconds.
function think(from, to) {
  sleep((from + Math.random() * (to - from)) * THINK_TIME_SCALE);
}

// A lead that no person stands behind. The number is unique within a test run.
function syntheticLead(number) {
  return {
    name: `Load Test ${number}`,
    email: `load-test-${number}@example.com`,
    phone: '+1-555-0100',
    company: 'Example Load Test Ltd',
    source: 'load-test',
  };
}

function nextNumber() {
  return `${exec.vu.idInTest}-${exec.vu.iterationInInstance}`;
}

// The value of one field of a JSON answer; null when the answer is something else (an error page).
function field(response, name) {
  try {
    return response.json(name);
  } catch {
    return null;
  }
}

function leadGeneration() {
  group('lead generation', () => {
    const created = http.post(
      `${BASE_URL}/api/v1/leads`,
      JSON.stringify(syntheticLead(nextNumber())),
      { headers: JSON_HEADERS, tags: { name: 'POST /api/v1/leads' } }
    );
    const ok = check(created, { 'lead is created (201)': (r) => r.status === 201 });
    think(5, 15);

    // Without an id there is nothing to read; the failed check has said so.
    const id = ok ? field(created, 'id') : null;
    if (id !== null && id !== undefined) {
      const read = http.get(`${BASE_URL}/api/v1/leads/${id}`, {
        tags: { name: 'GET /api/v1/leads/{id}' },
      });
      check(read, { 'lead is read (200)': (r) => r.status === 200 });
    }
    think(5, 10);
  });
}

function broker() {
  group('broker', () => {
    const list = http.get(`${BASE_URL}/api/v1/leads?status=NEW&limit=20`, {
      tags: { name: 'GET /api/v1/leads' },
    });
    check(list, { 'new leads are listed (200)': (r) => r.status === 200 });
    think(10, 30);

    const csv = http.get(`${BASE_URL}/api/v1/leads/export?format=csv`, {
      tags: { name: 'GET /api/v1/leads/export' },
    });
    check(csv, { 'leads are exported (200)': (r) => r.status === 200 });
    think(10, 25);
  });
}

function admin() {
  group('admin', () => {
    const overview = http.get(`${BASE_URL}/api/v1/analytics/overview`, {
      tags: { name: 'GET /api/v1/analytics/overview' },
    });
    check(overview, { 'analytics are shown (200)': (r) => r.status === 200 });
    think(20, 60);

    const config = http.get(`${BASE_URL}/api/v1/config`, {
      tags: { name: 'GET /api/v1/config' },
    });
    check(config, { 'configuration is shown (200)': (r) => r.status === 200 });
    think(20, 50);
  });
}

function apiIntegration() {
  group('api integration', () => {
    const number = nextNumber();
    const leads = Array.from({ length: 10 }, (_, i) => syntheticLead(`${number}-${i}`));
    const batch = http.post(`${BASE_URL}/api/v1/leads/batch`, JSON.stringify({ leads }), {
      headers: { 'Content-Type': 'application/json', 'X-API-KEY': API_KEY },
      tags: { name: 'POST /api/v1/leads/batch' },
    });
    check(batch, { 'batch is taken (200 or 201)': (r) => r.status === 200 || r.status === 201 });
    think(30, 90);
  });
}

// One iteration: one user, by the platform's mix of 40, 30, 20 and 10 percent.
export function anyUser() {
  const dice = Math.random() * 100;
  if (dice < 40) {
    leadGeneration();
  } else if (dice < 70) {
    broker();
  } else if (dice < 90) {
    admin();
  } else {
    apiIntegration();
  }
}
