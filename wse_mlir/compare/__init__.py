"""One model on several targets side by side: times or cycles, memory, accuracy, and what each pass changed."""
