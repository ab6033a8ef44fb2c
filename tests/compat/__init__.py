"""The documented names, texts and habits of bots, one test for each: bots rely on them across releases."""
