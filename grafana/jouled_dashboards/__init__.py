"""The dashboards of jouled, written in Python; ``make dashboards`` makes their JSON.

One file for each dashboard, and what they share:

    frame      a dashboard: its header, rows and annotations
    panels     the kinds of panel, all looking alike
    tables     tables and their columns
    variables  what a reader chooses at the top
    queries    how Prometheus is asked
    links      from one dashboard to the next
    look       units, colours, thresholds
"""
