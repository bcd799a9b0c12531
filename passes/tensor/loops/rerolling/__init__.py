"""Recurrent models: steps that were imported one after the other become a loop again."""
