"""The classes of a workflow's nodes, which are to be known for its conversion."""

from comfytui.workflow.editor.reading import read_document
from comfytui.workflow.editor.restore import VIRTUAL_CLASSES


def class_types(workflow: object) -> frozenset[str]:
    """Return the classes of all nodes that a server may have: no instances of subgraphs, and no notes or reroutes."""
    document = read_document(workflow)
    if document is None:
        return frozenset()
    graphs = (document.root, *document.subgraphs.values())
    return (
        frozenset(node.type for graph in graphs for node in graph.nodes)
        - document.subgraphs.keys()
        - VIRTUAL_CLASSES.keys()
    )
