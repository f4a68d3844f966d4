// What the page can do beyond being read: new digests appear, and commands are answered in place.
(() => {
  "use strict";
  const posts = document.getElementById("posts");
  const form = document.querySelector("form.ask");
  if (!posts || !form) return;
  const answers = document.getElementById("answers");
  const live = document.getElementById("live");
  const status = document.getElementById("status");
  const jump = document.getElementById("jump");
  const input = form.elements.text;

  let after = posts.dataset.after;
  let jumpTo = null;

  const known = (key) => [...posts.querySelectorAll("[data-key]")].find((post) => post.dataset.key === key);

  // What it says changes, when it was said does not; who does not see it has nothing to be told.
  const edit = (post) => {
    const fresh = document.createElement("template");
    fresh.innerHTML = post.html;
    known(post.key)?.querySelector(".message")?.replaceWith(fresh.content.querySelector(".message"));
  };

  const show = (post) => {
    if (post.edited) return edit(post);
    after = post.key;
    if (known(post.key)) return;
    document.getElementById("empty")?.remove();
    posts.insertAdjacentHTML("beforeend", post.html);
    jumpTo = posts.lastElementChild;
    jumpTo.classList.add("fresh");
    status.textContent = `${posts.dataset.new}: ${post.title}`;
    const box = jumpTo.getBoundingClientRect();
    jump.hidden = box.top < window.innerHeight - 160 && box.bottom > 0;
  };

  jump.addEventListener("click", (event) => {
    event.preventDefault();
    jump.hidden = true;
    jumpTo?.scrollIntoView({ block: "start" });
  });

  const mark = (on) => {
    live.hidden = false;
    live.classList.toggle("on", on);
    live.textContent = on ? live.dataset.on : live.dataset.off;
  };

  const listen = () => {
    const events = new EventSource(`${posts.dataset.events}?after=${encodeURIComponent(after)}`);
    events.onopen = () => mark(true);
    events.onmessage = (event) => show(JSON.parse(event.data));
    events.onerror = () => {
      mark(false);
      // The browser comes back by itself after a broken connection, but not after a refusal.
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    };
    window.addEventListener("pagehide", () => events.close(), { once: true });
  };
  listen();
  // A page that comes back from the history is as it was left, and its stream was closed.
  window.addEventListener("pageshow", (event) => event.persisted && listen());

  const complain = () => {
    const p = document.createElement("p");
    p.className = "complaint";
    p.textContent = form.dataset.failed;
    answers.append(p);
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || form.hasAttribute("aria-busy")) return;
    form.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(form.action, {
        method: "POST",
        headers: { "paperwire-fragment": "1" },
        body: new URLSearchParams({ text }),
      });
      const html = await response.text();
      // Anything but an answer (the channel is gone, the program stops) is a whole page.
      if (!html.startsWith("<article")) throw new Error(response.statusText);
      answers.insertAdjacentHTML("beforeend", html);
      input.value = "";
    } catch {
      complain();
    } finally {
      form.removeAttribute("aria-busy");
    }
    answers.lastElementChild.scrollIntoView({ block: "start" });
    input.focus({ preventScroll: true });
  });
})();
